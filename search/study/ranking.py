"""The ranking of judged candidates: which trials become finalists, and who wins."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from compress.parameters import CompressionParameters
from objectives.accuracy.metric import ACCURACY, Metric
from objectives.cost.cost import Cost
from search.study.finalist import Finalist
from search.study.trial_record import TrialRecord, best


def select_finalists(found: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
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


@dataclass(frozen=True)
class Winner:
    """What a search recommends.

    Attributes:
        source: ``trial 17``, or ``recommended values`` where no trial validated better.
        parameters: its ratios and ranks.
        cost: analytic cost.
        accuracy: top-1 on the validation split: after the finals' fine-tuning, or else the trial's own.
        metric: what it was ranked by.
        value: of the metric, likewise, where that is neither accuracy nor loss.
    """

    source: str
    parameters: CompressionParameters
    cost: Cost
    accuracy: float
    metric: Metric = ACCURACY
    value: float | None = None

    @property
    def figures(self) -> str:
        """Its validation accuracy, and the metric, as text."""
        extra = f", {self.metric.name} {self.value:.4f}" if self.metric.is_extra else ""
        return f"validation accuracy {self.accuracy:.4f}{extra}"


def winner_of(trials: Sequence[TrialRecord], finalists: Sequence[Finalist]) -> Winner | None:
    """The best finalist, or the best trial where no finals were held or all failed; None where all trials failed.

    Of a front only what meets the run's own budget can win: its other levels are for the choice of a user.
    """
    wider = {trial.source for trial in trials if trial.level}
    found: Finalist | TrialRecord | None = best(finalist for finalist in finalists if finalist.source not in wider)
    found = found or best(trial for trial in trials if not trial.level)
    if found is None or found.parameters is None or found.cost is None or found.accuracy is None:
        return None
    return Winner(found.source, found.parameters, found.cost, found.accuracy, found.metric, found.value)
