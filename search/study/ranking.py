"""The ranking of judged candidates: which trials become finalists, and who wins."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.study.finalist import Finalist
from search.study.trial_record import SENSITIVITY_START, TrialRecord
from zoo.tasks.metric import ACCURACY, LOSS, Metric, Score

_Candidate = TypeVar("_Candidate", TrialRecord, Finalist)


def select_finalists(records: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """The best trials with different parameters, at least one of every level of a front, the tightest level first.

    Of two or more places, one is reserved for the start that the sensitivity sweep suggests: a short repair may rank it
    too low, and a search should not return less than it started with.

    Args:
        records: finished trials.
        count: how many to choose; the best of all levels come before the second of any.
    """
    best_first = ranked(records)
    levels = [
        [record for record in best_first if record.level == level]
        for level in sorted({record.level for record in best_first}, key=lambda level: level or 0)
    ]
    in_turn = [record for row in zip_longest(*levels) for record in row if record is not None]
    places = max(count, len(levels))
    chosen = in_turn[:places]
    swept = [one for one in in_turn[places:] if one.start == SENSITIVITY_START and not one.level]
    return [*chosen[: places - 1], *swept] if swept and places > max(1, len(levels)) else chosen


def ranked(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The judged trials with different parameters, the best first: by rungs reached, objective, loss, then number."""
    complete = [record for record in records if record.score is not None]
    chosen: list[TrialRecord] = []
    alike: dict[int, list[TrialRecord]] = defaultdict(list)
    for record in sorted(complete, key=lambda record: record.rank, reverse=True):
        others = alike[parameters_hash(record.parameters)]
        if all(record.parameters != other.parameters for other in others):
            others.append(record)
            chosen.append(record)
    return chosen


def parameters_hash(parameters: CompressionParameters) -> int:
    """Hash of parameters: equal for equal ratios and ranks in any order."""
    return hash((frozenset(parameters.ratios.items()), frozenset(parameters.ranks.items())))


def best(candidates: Iterable[_Candidate]) -> _Candidate | None:
    """The trial or finalist that ranks highest, of equals the first; None where none was judged.

    On a small validation split many candidates get the same images right; the loss still tells them apart.
    """
    judged = [candidate for candidate in candidates if candidate.score is not None]
    return max(judged, key=lambda candidate: candidate.rank, default=None)


@dataclass(frozen=True)
class Winner:
    """The candidate that a search returns.

    Attributes:
        source: ``trial 17``, or ``recommended values`` where no trial validated better.
        parameters: its ratios and ranks.
        cost: analytic cost.
        score: figures on the validation split: after the finals' fine-tuning, or else the trial's own.
        metric: what it was ranked by.
    """

    source: str
    parameters: CompressionParameters
    cost: Cost
    score: Score
    metric: Metric = ACCURACY

    @property
    def figures(self) -> str:
        """Its figures on the validation split, as text: all but the loss, unless it was ranked by it."""
        names = [name for name in self.score.figures if name != LOSS.name or self.metric.name == LOSS.name]
        return f"validation {', '.join(f'{name} {self.score.figures[name]:.4f}' for name in names)}"


def winner_of(trials: Sequence[TrialRecord], finalists: Sequence[Finalist]) -> Winner | None:
    """The best finalist, or the best trial where there are no finals or all failed; None where all trials failed.

    Of a front only candidates within the run's own budget can win; users choose from the other levels themselves.
    """
    wider = {trial.source for trial in trials if trial.level}
    first: Finalist | TrialRecord | None = best(finalist for finalist in finalists if finalist.source not in wider)
    first = first or best(trial for trial in trials if not trial.level)
    if first is None or first.parameters is None or first.cost is None or first.score is None:
        return None
    return Winner(first.source, first.parameters, first.cost, first.score, first.metric)
