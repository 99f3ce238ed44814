"""Experiment trackers that get every trial: TensorBoard and MLflow, by the key ``log_to``."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from compress.errors import ConfigError, one_line
from configs.schema.run import RunConfig
from configs.schema.storage import hide_passwords
from search.driver.listeners.listener import Listener
from search.driver.listeners.tracker import Tracker
from search.study.trial_record import TrialRecord

TENSORBOARD, MLFLOW = "tensorboard", "mlflow"


@dataclass
class Tracking(Listener):
    """A listener that adds every trial to a tracker once, and stops after the first failure.

    Attributes:
        tracker: stores the trials.
        warn: called with a line about the failure.
        broken: whether the tracker has failed.
    """

    tracker: Tracker
    warn: Callable[[str], None]
    broken: bool = field(default=False, init=False)

    def started(self, planned: int, records: Sequence[TrialRecord]) -> None:
        """Add the trials that were settled before and that the tracker lacks: it may be new, or was interrupted."""
        if records:
            self._try(lambda: self._add_missing(records))

    def settled(self, record: TrialRecord) -> None:
        """Add a trial."""
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
        except Exception as error:  # Errors of libraries, servers and disks: none of them may stop the search.
            self.broken = True
            reason = one_line(hide_passwords(str(error)))
            self.warn(
                f"{self.tracker.place} has failed ({type(error).__name__}: {reason}); the search goes on without it, "
                "and running the same command again adds the trials that it missed"
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
