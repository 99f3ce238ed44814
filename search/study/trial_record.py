"""What becomes of a trial, as it is stored in the study."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

import optuna
from optuna.trial import FrozenTrial, TrialState

from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from objectives.accuracy.metric import ACCURACY as BY_ACCURACY
from objectives.accuracy.metric import Metric, restored, stored
from objectives.cost.cost import Cost
from search.study.conditions import CONDITIONS, Conditions
from search.study.conditions import restored as restored_conditions
from search.study.judgement import ACCURACY, LOSS, METRIC, VALUE, Judgement
from search.study.rung import Rung, rungs_of

PARAMETERS, COST, SECONDS, ERROR, START, STAGE = "parameters", "cost", "seconds", "error", "start", "stage"
BUDGET = "budget"
WORKER, LOST = "worker", "lost workers"
LEVEL, ALLOWED = "level", "allowed"
COMPLETE, STOPPED, INFEASIBLE, FAILED = "complete", "stopped", "infeasible", "failed"


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial.

    Attributes:
        number: its number in the study.
        state: ``complete``: judged at the last rung; ``stopped``: at an earlier one, where others were better;
            ``infeasible``: over the budget, not judged; or ``failed``.
        parameters: what was proposed.
        cost: analytic cost.
        accuracy: on the validation split at its last rung, None where infeasible or failed.
        loss: likewise.
        seconds: the worker's time at all rungs, None where it never ran.
        error: why it failed, else None.
        start: name of the start it came from, None for the sampler's proposals.
        metric: what the study ranks by.
        value: of the metric on the validation split, where that is neither accuracy nor loss.
        level: of a front, which of its budgets the trial was projected to: 0 is the run's own; None without a front.
        rungs: its figures at every rung, the first one first; none of trials of version 0.1.
        stage: the stage that was searched, None where all were at once.
        conditions: how and where it was judged, None where it was not.
        worker: host and process that judged it, None where it was not judged.
        lost: why each worker that had it before is gone.
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
    metric: Metric = BY_ACCURACY
    value: float | None = None
    level: int | None = None
    rungs: tuple[Rung, ...] = ()
    stage: str | None = None
    conditions: Conditions | None = None
    worker: str | None = None
    lost: tuple[str, ...] = ()

    @property
    def steps(self) -> int | None:
        """SGD steps of its last rung, None where it was judged at none."""
        return self.rungs[-1].steps if self.rungs else None

    @property
    def reached(self) -> int:
        """Rungs that it was judged at; the trials of version 0.1 had one."""
        return max(1, len(self.rungs))

    @property
    def source(self) -> str:
        """Where the parameters come from."""
        trial = f"trial {self.number}"
        return trial if self.stage is None else f"{self.stage} {trial}"

    @property
    def score(self) -> float:
        """What the study maximizes, at its last rung; minus infinity for a trial that is infeasible or failed."""
        return self.metric.score(self.accuracy, self.loss, self.value)

    @property
    def rank(self) -> tuple[float, ...]:
        """The greater is the better: by the rung reached, then by score, of equals the one of the lower loss."""
        return self.reached, self.score, -(self.loss or 0.0)


class Judged(Protocol):
    """A trial or a finalist, judged or failed."""

    @property
    def accuracy(self) -> float | None:
        """Top-1, None after an error."""

    @property
    def loss(self) -> float | None:
        """Cross-entropy, likewise."""

    @property
    def metric(self) -> Metric:
        """What the study ranks by."""

    @property
    def value(self) -> float | None:
        """Of the metric, where that is neither accuracy nor loss."""

    @property
    def rank(self) -> tuple[float, ...]:
        """The greater is the better."""


Candidate = TypeVar("Candidate", bound=Judged)


def figures_of(judged: Judged) -> str:
    """Accuracy, loss and the metric of a candidate that has them, as text."""
    extra = f", {judged.metric.name} {judged.value:.4f}" if judged.metric.is_extra else ""
    return f"accuracy {judged.accuracy:.4f}, loss {judged.loss:.4f}{extra}"


def figure_of(judged: Judged, metric: Metric) -> float:
    """The figure that a metric ranks a judged candidate by."""
    figure = {ACCURACY: judged.accuracy, LOSS: judged.loss}.get(metric.name, judged.value)
    return math.nan if figure is None else figure


def describe(
    trial: optuna.Trial,
    parameters: CompressionParameters,
    cost: Cost,
    violation: float | None,
    stage: str | None = None,
) -> None:
    """Store what is known of a trial before it runs; for a trial that was interrupted it is known already.

    violation: the constraint that samplers are to mind; None for proposals that meet the budget by construction, where
        a constraint would tell them nothing, and have a Gaussian process fit another model to it at every proposal.
    """
    if COST in trial.user_attrs:
        return
    # Optuna sets a constraint only once.
    if violation is not None and BUDGET not in trial.constraints:
        trial.set_constraint(BUDGET, violation)
    trial.set_user_attr(PARAMETERS, dumps(parameters))
    if stage is not None:
        trial.set_user_attr(STAGE, stage)
    # Last, as the mark of a described trial.
    trial.set_user_attr(COST, asdict(cost))


def finish(
    study: optuna.Study, trial: optuna.Trial, said: Judgement, metric: Metric = BY_ACCURACY, stopped: bool = False
) -> TrialRecord:
    """Store the outcome of a trial that ran; one with a figure that is not finite has failed.

    ``stopped`` says that it was judged at an earlier rung than the last, and does not go on.
    """
    judgement = said.checked(metric)
    trial.set_user_attr(SECONDS, judgement.seconds)
    if judgement.conditions is not None:
        trial.set_user_attr(CONDITIONS, asdict(judgement.conditions))
    if judgement.worker is not None:
        trial.set_user_attr(WORKER, judgement.worker)
    if judgement.lost:
        trial.set_user_attr(LOST, list(judgement.lost))
    if judgement.error is not None:
        trial.set_user_attr(ERROR, judgement.error)
        return record_of(study.tell(trial, state=TrialState.FAIL))
    figures = {ACCURACY: judgement.accuracy, LOSS: judgement.loss, METRIC: stored(metric)}
    for name, value in (figures | ({VALUE: judgement.value} if metric.is_extra else {})).items():
        trial.set_user_attr(name, value)
    if stopped:
        return record_of(study.tell(trial, state=TrialState.PRUNED))
    value = metric.score(judgement.accuracy, judgement.loss, judgement.value)
    allowed = trial.user_attrs.get(ALLOWED)
    # A front has two objectives. What was allowed, not what it cost: of a level only the best trial is not dominated.
    return record_of(study.tell(trial, value if allowed is None else [value, allowed]))


def reject(study: optuna.Study, trial: optuna.Trial) -> TrialRecord:
    """Close a trial that breaks the budget without spending a worker on it."""
    return record_of(study.tell(trial, state=TrialState.PRUNED))


def records(study: optuna.Study) -> list[TrialRecord]:
    """Every finished trial, in the order of their numbers."""
    return [record_of(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def best(found: Iterable[Candidate]) -> Candidate | None:
    """The trial or finalist that ranks highest, of equals the first; None where none was judged.

    On a small validation split many candidates get the same images right; the loss still tells them apart.
    """
    complete = [record for record in found if record.accuracy is not None]
    return max(complete, key=lambda record: record.rank, default=None)


def record_of(trial: FrozenTrial) -> TrialRecord:
    """The record of one finished trial."""
    attributes: dict[str, Any] = trial.user_attrs
    state = _state(trial)
    return TrialRecord(
        number=trial.number,
        state=state,
        parameters=loads(attributes[PARAMETERS]).parameters,
        cost=Cost(**attributes[COST]),
        accuracy=attributes[ACCURACY] if state in (COMPLETE, STOPPED) else None,
        loss=attributes.get(LOSS),
        seconds=attributes.get(SECONDS),
        error=attributes.get(ERROR),
        start=attributes.get(START),
        metric=restored(attributes.get(METRIC, ACCURACY)),
        value=attributes.get(VALUE),
        level=attributes.get(LEVEL),
        rungs=rungs_of(attributes),
        stage=attributes.get(STAGE),
        conditions=restored_conditions(attributes),
        worker=attributes.get(WORKER),
        lost=tuple(attributes.get(LOST, ())),
    )


def _state(trial: FrozenTrial) -> str:
    if trial.state == TrialState.PRUNED:
        return STOPPED if rungs_of(trial.user_attrs) else INFEASIBLE
    return COMPLETE if trial.state == TrialState.COMPLETE else FAILED


def first_rung_score(trial: FrozenTrial) -> float | None:
    """What is maximized, at the first rung: comparable between all trials of a study, also running ones.

    A trial that failed at a later rung has one. None where the trial has not been judged yet, or could not be.
    """
    rungs = rungs_of(trial.user_attrs)
    if rungs:
        return rungs[0].score
    return record_of(trial).score if trial.state == TrialState.COMPLETE else None
