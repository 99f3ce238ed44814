"""Experiment trackers that are told of every trial: TensorBoard and MLflow, by the key ``log_to``."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Protocol

from compress.errors import ConfigError
from configs.schema import RunConfig
from configs.storage import hide_passwords
from search.driver import SilentListener
from search.run_folder import RunFolder
from search.trial_record import TrialRecord

TENSORBOARD, MLFLOW = "tensorboard", "mlflow"


class Tracker(Protocol):
    """Keeps trials somewhere; whatever it raises, the run goes on."""

    @property
    def place(self) -> str:
        """What messages call it."""

    def known(self) -> set[str]:
        """The sources of the trials that it holds already."""

    def add(self, record: TrialRecord) -> None:
        """Keep one more."""


@dataclass
class Tracking(SilentListener):
    """A listener that hands every trial to a tracker, once; the first failure is told, and is the last.

    Attributes:
        tracker: who keeps the trials.
        warn: told of the failure.
        broken: whether it has failed.
    """

    tracker: Tracker
    warn: Callable[[str], None]
    broken: bool = field(default=False, init=False)

    def started(self, planned: int, found: Sequence[TrialRecord]) -> None:
        """Hand over what was settled before, where the tracker does not know it: it may be new, or have been killed."""
        if found:
            self._try(lambda: self._add_missing(found))

    def settled(self, record: TrialRecord) -> None:
        """Hand over one more."""
        self._try(lambda: self.tracker.add(record))

    def _add_missing(self, found: Iterable[TrialRecord]) -> None:
        known = self.tracker.known()
        for record in found:
            if record.source not in known:
                self.tracker.add(record)

    def _try(self, work: Callable[[], None]) -> None:
        if self.broken:
            return
        try:
            work()
        except Exception as error:  # A library's own, a server's, a full disk: none of them may cost the search.
            self.broken = True
            reason = hide_passwords(" ".join(str(error).split())[:300])
            self.warn(
                f"{self.tracker.place} has failed ({type(error).__name__}: {reason}); the search goes on without it, "
                "and the same command hands over what it missed"
            )


def check_trackers(names: Iterable[str]) -> None:
    """Refuse trackers whose library is missing.

    Raises:
        ConfigError: names the extra to install.
    """
    for name in names:
        if find_spec(name) is None:
            raise ConfigError(
                f"log_to: expected {name} to be installed, which it is not; pip install 'tuckprune[{name}]', or take it"
                " out of log_to"
            )


def trackers(config: RunConfig, folder: RunFolder, warn: Callable[[str], None]) -> list[Tracking]:
    """The listeners that a configuration asks for."""
    # Here, because both libraries are optional, and take seconds to load.
    made: list[Tracker] = []
    if TENSORBOARD in config.log_to:
        from search.tensorboard_tracker import TensorBoardTracker

        made.append(TensorBoardTracker(folder.tensorboard / "trials"))
    if MLFLOW in config.log_to:
        from search.mlflow_tracker import MlflowTracker

        made.append(MlflowTracker(config.name, folder.path / "mlflow.db"))
    return [Tracking(tracker, warn) for tracker in made]


def settings_of(record: TrialRecord) -> dict[str, float]:
    """What a trial was made of, flat: a ratio for each group, two ranks for each decomposed layer."""
    ranks = record.parameters.ranks.items()
    inner = {f"{layer}.in_rank": float(pair[0]) for layer, pair in ranks}
    outer = {f"{layer}.out_rank": float(pair[1]) for layer, pair in ranks}
    return {**{f"{group}.ratio": ratio for group, ratio in record.parameters.ratios.items()}, **inner, **outer}


def metrics_of(record: TrialRecord) -> dict[str, float]:
    """What a trial was found to be, without what it does not have."""
    metric = {record.metric.name: record.value} if record.metric.is_extra else {}
    found = {
        "accuracy": record.accuracy,
        "loss": record.loss,
        **metric,
        "flops": record.cost.flops,
        "params": record.cost.params,
        "seconds": record.seconds,
    }
    return {name: float(value) for name, value in found.items() if value is not None}
