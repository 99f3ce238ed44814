"""The winner of a search: the parameters that are exported."""

from collections.abc import Sequence
from dataclasses import dataclass

from compress.parameters import CompressionParameters
from objectives.cost import Cost
from objectives.metric import ACCURACY, Metric
from search.finalist import Finalist
from search.trial_record import TrialRecord, best


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
