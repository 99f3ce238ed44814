"""Asynchronous successive halving: which trials go on to the next rung."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable

from search.ladder import Ladder
from search.rung import Rung
from search.trial_record import TrialRecord


class Halving:
    """Decides at once, by the trials judged so far: those that go on are never waited for.

    A trial goes on if it is among the best 1/``one_in`` of those that have been judged at its rung, itself included,
    or the best of them; of equals the earlier one is ahead. Early trials go on more easily than they would in the
    end: the price of deciding at once. Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", in the
    variant that stops the others for good. Trials of a front are compared with those of their own level.

    Args:
        ladder: the rungs.
        found: trials that were settled before.
    """

    def __init__(self, ladder: Ladder, found: Iterable[TrialRecord]) -> None:
        self._ladder = ladder
        self._ranks: defaultdict[tuple[int | None, int], list[tuple[float, float]]] = defaultdict(list)
        for record in found:
            for index, rung in enumerate(record.rungs):
                insort(self._ranks[record.level, index], rung.rank)

    def goes_on(self, index: int, rung: Rung, level: int | None = None) -> bool:
        """Count a trial that was judged at the rung of this index; whether it goes on to the next one."""
        if index == self._ladder.last:
            return False
        ranks = self._ranks[level, index]
        insort(ranks, rung.rank)
        place = len(ranks) - bisect_left(ranks, rung.rank)
        return place <= max(1, len(ranks) // self._ladder.one_in)
