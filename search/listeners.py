"""Several listeners of a search as one."""

from collections.abc import Sequence

from search.driver import Listener
from search.finalist import Finalist
from search.probe import Probe
from search.trial_record import TrialRecord


class Listeners:
    """Tells all of them, in their order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def warned(self, line: str) -> None:
        """Something is suspicious, but the search goes on."""
        for listener in self._listeners:
            listener.warned(line)

    def noted(self, line: str) -> None:
        """What comes next."""
        for listener in self._listeners:
            listener.noted(line)

    def started(self, planned: int, found: Sequence[TrialRecord]) -> None:
        """The search begins, or resumes."""
        for listener in self._listeners:
            listener.started(planned, found)

    def sweep_started(self, count: int) -> None:
        """Parts of the model are about to be made smaller alone."""
        for listener in self._listeners:
            listener.sweep_started(count)

    def probed(self, probe: Probe) -> None:
        """One of them is judged."""
        for listener in self._listeners:
            listener.probed(probe)

    def settled(self, record: TrialRecord) -> None:
        """A trial is finished."""
        for listener in self._listeners:
            listener.settled(record)

    def finals_started(self, count: int) -> None:
        """Finalists are about to be fine-tuned."""
        for listener in self._listeners:
            listener.finals_started(count)

    def finalist_settled(self, finalist: Finalist) -> None:
        """A finalist is judged."""
        for listener in self._listeners:
            listener.finalist_settled(finalist)
