"""What Ray's dashboard, and whatever collects Ray's metrics, sees of a search."""

from collections.abc import Sequence
from functools import cached_property

from ray.util.metrics import Counter, Gauge

from search.driver.listeners.listener import Listener
from search.study.trial_record import TrialRecord

TRIALS, BEST, SECONDS = "tuckprune_trials", "tuckprune_best_score", "tuckprune_trial_seconds"


class RayMetrics(Listener):
    """A listener that counts, in the process that is connected to Ray.

    Args:
        run: name of the run, a tag of every metric.
    """

    def __init__(self, run: str) -> None:
        self._run = {"run": run}
        self._best = -float("inf")

    def started(self, planned: int, settled: Sequence[TrialRecord]) -> None:
        """Trials of before an interruption count for the best."""
        for record in settled:
            self._raise_best(record)

    def settled(self, record: TrialRecord) -> None:
        """One more."""
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
