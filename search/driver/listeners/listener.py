"""Listeners: objects that follow the progress of a search."""

from collections.abc import Sequence

import optuna

from search.samplers.probes import Probe
from search.study.finalist import Finalist
from search.study.trial_record import TrialRecord
from zoo.tasks.metric import Metric


class Listener:
    """Base class of what follows a search; every method does nothing until a subclass overrides it."""

    def warned(self, line: str) -> None:
        """A problem does not stop the search; ``line`` describes it."""

    def noted(self, line: str) -> None:
        """The search goes on to something else, which ``line`` describes."""

    def started(self, planned: int, settled: Sequence[TrialRecord]) -> None:
        """The search begins, or resumes with those of the ``planned`` trials that are settled already."""

    def sweep_started(self, count: int, metric: Metric) -> None:
        """A sensitivity sweep of ``count`` evaluations begins, scored by this metric."""

    def probed(self, probe: Probe) -> None:
        """The sweep has evaluated a part of the model."""

    def settled(self, record: TrialRecord) -> None:
        """A trial is finished."""

    def stored(self, study: optuna.Study, at_once: bool = False) -> None:
        """The study holds all events so far; with ``at_once`` no more are expected for a while."""

    def finals_started(self, count: int) -> None:
        """The finals begin with ``count`` finalists to be fine-tuned."""

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
