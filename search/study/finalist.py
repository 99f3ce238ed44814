"""A finalist: a candidate that went through the whole recipe, fine-tuning included, before a winner was named."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from objectives.accuracy.metric import Metric, restored, stored
from objectives.cost.cost import Cost
from search.study.judgement import Judgement

RECOMMENDED = "recommended values"
_KEY, _PLACE = "finalist: ", "place"


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
        metric: what the study ranks by.
        value: of the metric there, where that is neither accuracy nor loss.
    """

    source: str
    parameters: CompressionParameters | None
    cost: Cost | None
    accuracy: float | None
    loss: float | None
    seconds: float
    error: str | None
    metric: Metric
    value: float | None = None

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
            source,
            parameters,
            cost,
            judgement.accuracy,
            judgement.loss,
            judgement.seconds,
            judgement.error,
            metric,
            judgement.value,
        )

    @property
    def score(self) -> float:
        """What the study maximizes; minus infinity after an error."""
        return self.metric.score(self.accuracy, self.loss, self.value)

    @property
    def rank(self) -> tuple[float, ...]:
        """The greater is the better: by score, of equals the one of the lower loss."""
        return self.score, -(self.loss or 0.0)


def store(study: optuna.Study, finalist: Finalist) -> None:
    """Keep a finalist with its study."""
    parameters = None if finalist.parameters is None else dumps(finalist.parameters)
    fields = {**asdict(finalist), "parameters": parameters, "metric": stored(finalist.metric)}
    fields[_PLACE] = len(_stored(study))
    study.set_user_attr(_KEY + finalist.source, json.dumps(fields))


def finalists(study: optuna.Study) -> list[Finalist]:
    """Every finalist that was judged, in the order they were."""
    # Databases return attributes in any order. Those of version 0.1, in a file, have no place and are in order.
    return [_restored(fields) for fields in sorted(_stored(study), key=lambda fields: fields.get(_PLACE, 0))]


def _stored(study: optuna.Study) -> list[dict[str, Any]]:
    return [json.loads(text) for key, text in study.user_attrs.items() if key.startswith(_KEY)]


def _restored(fields: dict[str, Any]) -> Finalist:
    parameters = None if fields["parameters"] is None else loads(fields["parameters"]).parameters
    cost = None if fields["cost"] is None else Cost(**fields["cost"])
    own = {name: value for name, value in fields.items() if name != _PLACE}
    return Finalist(**{**own, "parameters": parameters, "cost": cost, "metric": restored(fields["metric"])})
