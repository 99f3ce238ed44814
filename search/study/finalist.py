"""A finalist: a candidate that was judged after the whole recipe with its fine-tuning, to choose the winner."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.study.judgement import Judgement
from zoo.tasks.metric import Metric, Score, restored, stored

RECOMMENDED = "recommended values"
_KEY, _PLACE, _ENTRANTS = "finalist: ", "place", "entrants"


@dataclass(frozen=True)
class Finalist:
    """A judged finalist.

    Attributes:
        source: ``trial 17``, or ``recommended values``: SLAMP and VBMF at the budget.
        parameters: its ratios and ranks; None where recommended values could not be computed.
        cost: analytic cost of these; None in the same case.
        score: figures on the validation split after the recipe; None after an error.
        seconds: the worker's time.
        error: why it has no score, else None.
        metric: what the study ranks by.
        tuning: the settings of the fine-tuning as text, to compare.
    """

    source: str
    parameters: CompressionParameters | None
    cost: Cost | None
    score: Score | None
    seconds: float
    error: str | None
    metric: Metric
    tuning: str = ""

    @classmethod
    def of(
        cls,
        source: str,
        parameters: CompressionParameters | None,
        cost: Cost | None,
        judgement: Judgement,
        metric: Metric,
        tuning: str = "",
    ) -> "Finalist":
        """A judged finalist."""
        return cls(source, parameters, cost, judgement.score, judgement.seconds, judgement.error, metric, tuning)

    @property
    def objective(self) -> float:
        """The value that the study maximizes; minus infinity after an error."""
        return -math.inf if self.score is None else self.score.objective(self.metric)

    @property
    def rank(self) -> tuple[float, ...]:
        """Sort key, the best finalist has the largest: the objective, then the lower loss."""
        return self.objective, -(0.0 if self.score is None else self.score.loss)


def store(study: optuna.Study, finalist: Finalist) -> None:
    """Store a finalist in its study."""
    parameters = None if finalist.parameters is None else dumps(finalist.parameters)
    cost = None if finalist.cost is None else finalist.cost.stored()
    fields = {**asdict(finalist), "parameters": parameters, "cost": cost, "metric": stored(finalist.metric)}
    fields["score"] = None if finalist.score is None else dict(finalist.score.figures)
    fields[_PLACE] = 1 + max((int(known[_PLACE]) for known in _stored(study)), default=-1)
    study.set_user_attr(_KEY + finalist.source, json.dumps(fields))


def forget(study: optuna.Study, finalist: Finalist) -> None:
    """Remove a finalist from its study; as attributes cannot be deleted, it is overwritten by an empty text."""
    study.set_user_attr(_KEY + finalist.source, "")


def finalists(study: optuna.Study) -> list[Finalist]:
    """Every judged finalist, in the order of their judgements."""
    # Databases return attributes in any order.
    return [_restored(fields) for fields in sorted(_stored(study), key=lambda fields: int(fields[_PLACE]))]


def keep_entrants(study: optuna.Study, sources: Sequence[str], settled: int) -> None:
    """Keep who takes part in the finals of so many settled trials: of more trials others may."""
    entrants = {"sources": list(sources), "settled": settled}
    if study.user_attrs.get(_ENTRANTS) != entrants:
        study.set_user_attr(_ENTRANTS, entrants)


def judged_entrants(study: optuna.Study, settled: int) -> list[Finalist]:
    """The judged finalists that take part in the finals of so many settled trials, as far as that is known."""
    entrants, judged = study.user_attrs.get(_ENTRANTS), finalists(study)
    if entrants is None:  # Finals of an earlier version, or none yet.
        return judged
    return [one for one in judged if one.source in entrants["sources"]] if entrants["settled"] == settled else []


def _stored(study: optuna.Study) -> list[dict[str, Any]]:
    return [json.loads(text) for key, text in study.user_attrs.items() if key.startswith(_KEY) and text]


def _restored(fields: dict[str, Any]) -> Finalist:
    parameters = None if fields["parameters"] is None else loads(fields["parameters"]).parameters
    cost = None if fields["cost"] is None else Cost.restored(fields["cost"])
    score = None if fields["score"] is None else Score(fields["score"])
    metric = restored(fields["metric"])
    seconds, error = fields["seconds"], fields["error"]
    return Finalist(fields["source"], parameters, cost, score, seconds, error, metric, fields.get("tuning", ""))
