"""Metrics of a search for Ray's dashboard, and for systems that collect Ray's metrics."""

from collections.abc import Sequence
from functools import cached_property

from ray.util.metrics import Counter, Gauge

from search.driver.listeners.listener import Listener
from search.study.trial_record import TrialRecord

TRIALS, BEST, SECONDS = "tuckprune_trials", "tuckprune_best_score", "tuckprune_trial_seconds"


class RayMetrics(Listener):
    """A listener that reports the number of trials, the best score and the last trial's duration to Ray.

    Args:
        run: name of the run, a tag of every metric.
    """

    def __init__(self, run: str) -> None:
        self._run = {"run": run}
        self._best = -float("inf")

    def started(self, planned: int, settled: Sequence[TrialRecord]) -> None:
        """Take the best score of the trials before an interruption."""
        for record in settled:
            self._raise_best(record)

    def settled(self, record: TrialRecord) -> None:
        """Count a trial and report its duration."""
        self._trials.inc(tags={**self._run, "state": record.state})
        if record.seconds is not None:
            self._seconds.set(record.seconds, tags=self._run)
        self._raise_best(record)

    def _raise_best(self, record: TrialRecord) -> None:
        if record.objective > self._best:
            self._best = record.objective
            self._score.set(self._best, tags=self._run)

    # Ray takes metrics of connected processes only, which this one is when the first trial is settled.
    @cached_property
    def _trials(self) -> Counter:
        return Counter(TRIALS, "settled trials", ("run", "state"))

    @cached_property
    def _score(self) -> Gauge:
        return Gauge(BEST, "what the study maximizes, of the best trial", ("run",))

    @cached_property
    def _seconds(self) -> Gauge:
        return Gauge(SECONDS, "that the last trial took its worker", ("run",))
