"""The listener that keeps a run's status file, from which ``tuckprune status`` tells how the run stands."""

import time
from collections.abc import Sequence
from pathlib import Path

import optuna

from search.driver.listeners.listener import Listener
from search.study.standing import Standing, Tally
from search.study.status_file import StatusFile
from search.study.trial_record import TrialRecord, records

_SECONDS = 1.0
"""Least time between two writes of the file while trials run."""


class StatusWriter(Listener):
    """A listener that counts trials as they settle, and writes the file when something was stored.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._file = StatusFile(folder)
        self._standings: dict[str, Standing] = {}
        self._tallies: dict[str, Tally] = {}
        self._tally: Tally | None = None
        self._mark: str | None = None
        self._written = -_SECONDS

    def started(self, planned: int, settled: Sequence[TrialRecord]) -> None:
        """Count the settled trials of the study that ``stored`` will name next."""
        self._tally = Tally(settled)
        self._tallies.clear()

    def settled(self, record: TrialRecord) -> None:
        """Count one more."""
        if self._tally is not None:
            self._tally.add(record)

    def stored(self, study: optuna.Study, at_once: bool = False) -> None:
        """Write the file, unless it was written less than a second ago or nothing has changed.

        Raises:
            RunError: the file cannot be written.
        """
        if not at_once and time.monotonic() - self._written < _SECONDS:
            return
        mark = self._file.mark
        if mark is not None and mark == self._mark:
            return
        name = study.study_name
        if name not in self._tallies:
            self._tallies[name] = self._tally or Tally(records(study))
        self._standings[name] = self._tallies[name].standing(study)
        self._file.write(self._standings)
        self._mark, self._written = mark, time.monotonic()
