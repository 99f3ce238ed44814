"""Who takes part in the finals: the trials of the highest scores, of a front those of every level."""

from collections.abc import Sequence
from itertools import zip_longest

from search.trial_record import TrialRecord


def contenders(found: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """The best trials, each parameters once: at least one of every level of a front, the tightest level first.

    Args:
        found: finished trials.
        count: how many to choose; all levels' best are chosen before any level's second.
    """
    best_first = ranked(found)
    levels = [
        [record for record in best_first if record.level == level]
        for level in sorted({record.level for record in best_first}, key=lambda level: level or 0)
    ]
    in_turn = [record for row in zip_longest(*levels) for record in row if record is not None]
    return in_turn[: max(count, len(levels))]


def ranked(found: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The judged trials, each parameters once: by rung reached, by score, of equal ones by loss, then as they come."""
    complete = [record for record in found if record.accuracy is not None]
    chosen: list[TrialRecord] = []
    for record in sorted(complete, key=lambda record: record.rank, reverse=True):
        if all(record.parameters != other.parameters for other in chosen):
            chosen.append(record)
    return chosen
