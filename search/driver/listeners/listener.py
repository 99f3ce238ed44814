"""Listeners: objects that follow the progress of a search."""

from collections.abc import Sequence

import optuna

from search.samplers.sensitivity import Probe
from search.study.finalist import Finalist
from search.study.trial_record import TrialRecord
from zoo.tasks.metric import Metric


class Listener:
    """Base class of what follows a search; every method does nothing until a subclass overrides it."""

    def warned(self, line: str) -> None:
        """Something is suspicious, but the search goes on."""

    def noted(self, line: str) -> None:
        """What comes next."""

    def started(self, planned: int, settled: Sequence[TrialRecord]) -> None:
        """The search begins, or resumes with those of the ``planned`` trials that are settled already."""

    def sweep_started(self, count: int, metric: Metric) -> None:
        """So many parts of the model are about to be made smaller, each alone, and judged by this metric."""

    def probed(self, probe: Probe) -> None:
        """A part that was made smaller alone is judged."""

    def settled(self, record: TrialRecord) -> None:
        """A trial is finished."""

    def stored(self, study: optuna.Study, at_once: bool = False) -> None:
        """What happened until now is in the study; ``at_once``: and for a while nothing else will."""

    def finals_started(self, count: int) -> None:
        """So many finalists are about to be fine-tuned."""

    def finalist_settled(self, finalist: Finalist) -> None:
        """A finalist is judged."""


class Listeners(Listener):
    """Several listeners as one: passes every event on to all of them, in their order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def warned(self, line: str) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.warned(line)

    def noted(self, line: str) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.noted(line)

    def started(self, planned: int, settled: Sequence[TrialRecord]) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.started(planned, settled)

    def sweep_started(self, count: int, metric: Metric) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.sweep_started(count, metric)

    def probed(self, probe: Probe) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.probed(probe)

    def settled(self, record: TrialRecord) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.settled(record)

    def stored(self, study: optuna.Study, at_once: bool = False) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.stored(study, at_once)

    def finals_started(self, count: int) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.finals_started(count)

    def finalist_settled(self, finalist: Finalist) -> None:
        """Pass it on to all."""
        for listener in self._listeners:
            listener.finalist_settled(finalist)
