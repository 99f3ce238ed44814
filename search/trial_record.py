"""What becomes of a trial, as it is stored in the study."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeVar

import optuna
from optuna.trial import FrozenTrial, TrialState

from compress.json_format import dumps, loads
from compress.parameters import CompressionParameters
from objectives.cost import Cost

PARAMETERS, COST, SECONDS, ERROR, START = "parameters", "cost", "seconds", "error", "start"
LOSS, ACCURACY, METRIC = "loss", "accuracy", "metric"
BUDGET = "budget"

Metric = Literal["accuracy", "loss"]
"""What the study maximizes on validation images: top-1 accuracy, or the negative loss where accuracy is saturated."""


@dataclass(frozen=True)
class Judgement:
    """What a worker says of a candidate: its validation accuracy and loss, or the error that stopped it.

    Attributes:
        accuracy: top-1 on the validation split, None after an error.
        loss: cross-entropy there, in nats, None after an error.
        seconds: what it took.
        error: one line, None for a candidate that was judged.
        parameters: the values that the worker chose itself, None where they were given.
    """

    accuracy: float | None
    loss: float | None
    seconds: float
    error: str | None = None
    parameters: CompressionParameters | None = None

    @classmethod
    def failed(cls, seconds: float, error: str) -> "Judgement":
        """A candidate that could not be judged."""
        return cls(None, None, seconds, error)


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial.

    Attributes:
        number: its number in the study.
        state: ``complete``, ``infeasible`` or ``failed``.
        parameters: what was proposed.
        cost: analytic cost.
        accuracy: on the validation split, None unless complete.
        loss: likewise.
        seconds: the worker's time, None where it never ran.
        error: why it failed, else None.
        start: name of the start it came from, None for the sampler's proposals.
        metric: what the study maximizes.
    """

    number: int
    state: str
    parameters: CompressionParameters
    cost: Cost
    accuracy: float | None
    loss: float | None
    seconds: float | None
    error: str | None
    start: str | None
    metric: Metric = "accuracy"

    @property
    def source(self) -> str:
        """Where the parameters come from."""
        return f"trial {self.number}"

    @property
    def score(self) -> float:
        """What the study maximizes; minus infinity for a trial that is not complete."""
        return score_of(self.metric, self.accuracy, self.loss)


class Judged(Protocol):
    """A trial or a finalist, judged or failed."""

    @property
    def accuracy(self) -> float | None:
        """Top-1, None after an error."""

    @property
    def loss(self) -> float | None:
        """Cross-entropy, likewise."""

    @property
    def score(self) -> float:
        """What is maximized."""


Candidate = TypeVar("Candidate", bound=Judged)


def score_of(metric: Metric, accuracy: float | None, loss: float | None) -> float:
    """The metric as a number to maximize; minus infinity where there is none."""
    if accuracy is None or loss is None:
        return -math.inf
    return accuracy if metric == "accuracy" else -loss


def describe(trial: optuna.Trial, parameters: CompressionParameters, cost: Cost, violation: float) -> None:
    """Store what is known of a trial before it runs; for a trial that was interrupted it is known already."""
    if BUDGET in trial.constraints:
        return
    trial.set_user_attr(PARAMETERS, dumps(parameters))
    trial.set_user_attr(COST, asdict(cost))
    # Last, as the mark of a described trial: Optuna sets a constraint only once.
    trial.set_constraint(BUDGET, violation)


def finish(study: optuna.Study, trial: optuna.Trial, judgement: Judgement, metric: Metric = "accuracy") -> TrialRecord:
    """Store the outcome of a trial that ran."""
    trial.set_user_attr(SECONDS, judgement.seconds)
    if judgement.accuracy is None or judgement.loss is None:
        trial.set_user_attr(ERROR, judgement.error)
        return record_of(study.tell(trial, state=TrialState.FAIL))
    for name, value in ((ACCURACY, judgement.accuracy), (LOSS, judgement.loss), (METRIC, metric)):
        trial.set_user_attr(name, value)
    return record_of(study.tell(trial, judgement.accuracy if metric == "accuracy" else -judgement.loss))


def reject(study: optuna.Study, trial: optuna.Trial) -> TrialRecord:
    """Close a trial that breaks the budget without spending a worker on it."""
    return record_of(study.tell(trial, state=TrialState.PRUNED))


def records(study: optuna.Study) -> list[TrialRecord]:
    """Every finished trial, in the order of their numbers."""
    return [record_of(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def best(found: Iterable[Candidate]) -> Candidate | None:
    """The trial or finalist of the highest score, of equals the one of the lowest loss; None where none was judged.

    On a small validation split many candidates get the same images right; the loss still tells them apart.
    """
    complete = [record for record in found if record.accuracy is not None]
    return max(complete, key=lambda record: (record.score, -(record.loss or 0.0)), default=None)


def record_of(trial: FrozenTrial) -> TrialRecord:
    """The record of one finished trial."""
    attributes: dict[str, Any] = trial.user_attrs
    states = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "infeasible"}
    return TrialRecord(
        number=trial.number,
        state=states.get(trial.state, "failed"),
        parameters=loads(attributes[PARAMETERS]).parameters,
        cost=Cost(**attributes[COST]),
        accuracy=attributes[ACCURACY] if trial.state == TrialState.COMPLETE else None,
        loss=attributes.get(LOSS),
        seconds=attributes.get(SECONDS),
        error=attributes.get(ERROR),
        start=attributes.get(START),
        metric=attributes.get(METRIC, "accuracy"),
    )
