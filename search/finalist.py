"""A finalist: a candidate that went through the whole recipe, fine-tuning included, before a winner was named."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from compress.json_format import dumps, loads
from compress.parameters import CompressionParameters
from objectives.cost import Cost
from search.trial_record import Judgement, Metric, score_of

RECOMMENDED = "recommended values"
_KEY = "finalist: "


@dataclass(frozen=True)
class Finalist:
    """What became of a finalist.

    Attributes:
        source: ``trial 17``, or ``recommended values``: SLAMP and VBMF at the budget.
        parameters: its values, None where recommended values could not be found.
        cost: analytic cost of those.
        accuracy: top-1 on the validation split after the recipe, None after an error.
        loss: cross-entropy there, likewise.
        seconds: the worker's time.
        error: why it has none, else None.
        metric: what the study maximizes.
    """

    source: str
    parameters: CompressionParameters | None
    cost: Cost | None
    accuracy: float | None
    loss: float | None
    seconds: float
    error: str | None
    metric: Metric

    @classmethod
    def of(
        cls,
        source: str,
        parameters: CompressionParameters | None,
        cost: Cost | None,
        judgement: Judgement,
        metric: Metric,
    ) -> "Finalist":
        """A judged finalist."""
        return cls(
            source, parameters, cost, judgement.accuracy, judgement.loss, judgement.seconds, judgement.error, metric
        )

    @property
    def score(self) -> float:
        """What the study maximizes; minus infinity after an error."""
        return score_of(self.metric, self.accuracy, self.loss)


def store(study: optuna.Study, finalist: Finalist) -> None:
    """Keep a finalist with its study."""
    parameters = None if finalist.parameters is None else dumps(finalist.parameters)
    study.set_user_attr(_KEY + finalist.source, json.dumps({**asdict(finalist), "parameters": parameters}))


def finalists(study: optuna.Study) -> list[Finalist]:
    """Every finalist that was judged, in the order they were."""
    return [_restored(json.loads(text)) for key, text in study.user_attrs.items() if key.startswith(_KEY)]


def _restored(fields: dict[str, Any]) -> Finalist:
    parameters = None if fields["parameters"] is None else loads(fields["parameters"]).parameters
    cost = None if fields["cost"] is None else Cost(**fields["cost"])
    return Finalist(**{**fields, "parameters": parameters, "cost": cost})
