"""Early stopping: how many trials have brought no improvement since the best one."""

from collections.abc import Iterable
from datetime import datetime

import optuna

from search.study.trial_record import INFEASIBLE, TrialRecord, interrupted_count, record_of

RANDOM_PROPOSALS = 10
"""A sampler's first proposals, which are taken to be random."""


class Improvements:
    """Counts the trials that were proposed after the best one was settled, and were not better.

    Trials that were proposed before that could not learn from it, whatever the number of workers. Starts, a sampler's
    first ten proposals, and trials over the budget do not count; failed trials do. Every level of a front has a best
    trial of its own.

    Args:
        settled: trials that were settled before, in any order.

    Attributes:
        since: the number of trials without an improvement.
    """

    def __init__(self, settled: Iterable[TrialRecord] = ()) -> None:
        self.since = 0
        self._best: dict[int | None, tuple[float, ...]] = {}
        self._last: datetime | None = None
        self._proposals = 0
        for record in sorted(settled, key=order_of_ends):
            self.add(record)

    def add(self, record: TrialRecord) -> None:
        """Take in a trial that has just been settled."""
        learned = self._has_learned(record)
        if self._is_ahead(record):
            self._best[record.level], self._last, self.since = record.rank, record.ended, 0
        elif learned and self._last and record.began and record.began >= self._last:
            self.since += 1

    def _has_learned(self, record: TrialRecord) -> bool:
        if record.start is not None or record.state == INFEASIBLE:
            return False
        self._proposals += 1
        return self._proposals > RANDOM_PROPOSALS

    def _is_ahead(self, record: TrialRecord) -> bool:
        best = self._best.get(record.level)
        return record.score is not None and (best is None or record.rank > best)


def order_of_ends(record: TrialRecord) -> tuple[datetime, int]:
    """Sort key that puts trials in the order in which they were settled."""
    return record.ended or datetime.min, record.number


def ended_early(study: optuna.Study, patience: int | None) -> bool:
    """Whether a search has had ``patience`` trials without an improvement; never for None.

    Not before the trials are judged that workers had when the search was interrupted: one of them may be the best.
    """
    if patience is None or interrupted_count(study):
        return False
    finished = (trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished())
    return Improvements(record_of(trial, with_parameters=False) for trial in finished).since >= patience
