"""Experiment trackers that get every trial: TensorBoard and MLflow, by the key ``log_to``."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from compress.errors import ConfigError, one_line
from configs.schema.run import RunConfig
from configs.schema.storage import hide_passwords
from search.driver.listeners.listener import Listener
from search.study.trial_record import TrialRecord

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
class Tracking(Listener):
    """A listener that hands every trial to a tracker, once; after its first failure it warns, and gives up.

    Attributes:
        tracker: who keeps the trials.
        warn: takes a line about the failure.
        broken: whether it has failed.
    """

    tracker: Tracker
    warn: Callable[[str], None]
    broken: bool = field(default=False, init=False)

    def started(self, planned: int, records: Sequence[TrialRecord]) -> None:
        """Hand over what was settled before, where the tracker does not know it: it may be new, or have been killed."""
        if records:
            self._try(lambda: self._add_missing(records))

    def settled(self, record: TrialRecord) -> None:
        """Hand over one more."""
        self._try(lambda: self.tracker.add(record))

    def _add_missing(self, records: Iterable[TrialRecord]) -> None:
        known = self.tracker.known()
        for record in records:
            if record.source not in known:
                self.tracker.add(record)

    def _try(self, work: Callable[[], None]) -> None:
        if self.broken:
            return
        try:
            work()
        except Exception as error:  # A library's own, a server's, a full disk: none of them may cost the search.
            self.broken = True
            reason = one_line(hide_passwords(str(error)))
            self.warn(
                f"{self.tracker.place} has failed ({type(error).__name__}: {reason}); the search goes on without it, "
                "and the same command hands over what it missed"
            )


def settings_of(record: TrialRecord) -> dict[str, float]:
    """What a trial was made of, flat: a ratio for each group, two ranks for each decomposed layer."""
    ranks = record.parameters.ranks.items()
    inner = {f"{layer}.in_rank": float(pair[0]) for layer, pair in ranks}
    outer = {f"{layer}.out_rank": float(pair[1]) for layer, pair in ranks}
    return {**{f"{group}.ratio": ratio for group, ratio in record.parameters.ratios.items()}, **inner, **outer}


def metrics_of(record: TrialRecord) -> dict[str, float]:
    """Figures of a trial, as far as it has them: score, cost and the worker's seconds."""
    score = {} if record.score is None else record.score.figures
    cost = {"flops": record.cost.flops, "params": record.cost.params, **record.cost.others}
    figures = {**score, **cost, "seconds": record.seconds}
    return {name: float(value) for name, value in figures.items() if value is not None}


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


def trackers(config: RunConfig, folder: Path, warn: Callable[[str], None]) -> list[Tracking]:
    """The listeners that a configuration asks for.

    folder: of the run; TensorBoard's events and MLflow's database are kept in it.
    """
    # Here, because both libraries are optional, and take seconds to load.
    made: list[Tracker] = []
    if TENSORBOARD in config.log_to:
        from search.driver.listeners.tensorboard_tracker import TensorBoardTracker

        made.append(TensorBoardTracker(folder / "tensorboard" / "trials"))
    if MLFLOW in config.log_to:
        from search.driver.listeners.mlflow_tracker import MlflowTracker

        made.append(MlflowTracker(config.name, folder / "mlflow.db"))
    return [Tracking(tracker, warn) for tracker in made]
