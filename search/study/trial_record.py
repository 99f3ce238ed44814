"""A finished trial: how it is stored in the study, and read from it."""

import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.study.judgement import CONDITIONS, Conditions, Judgement, Rung, conditions_of, rungs_of
from zoo.tasks.metric import ACCURACY, Metric, Score, restored, stored

PARAMETERS, COST, SECONDS, ERROR, START, STAGE = "parameters", "cost", "seconds", "error", "start", "stage"
METRIC, FIGURES, BUDGET = "metric", "figures", "budget"
WORKER, LOST, REPEATS = "worker", "lost workers", "repeats"
PROPOSED, BEGUN = "proposed", "begun"
SENSITIVITY_START = "sensitivity"
"""Name of the start that a sweep suggests."""
LEVEL, ALLOWED = "level", "allowed"
COMPLETE, STOPPED, INFEASIBLE, FAILED = "complete", "stopped", "infeasible", "failed"


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial.

    Attributes:
        number: its number in the study.
        state: ``complete``: judged at the last rung; ``stopped``: judged at an earlier rung, where others were better;
            ``infeasible``: over the budget, not judged; ``failed``: judging it raised an error.
        parameters: ratios and ranks of the candidate.
        cost: analytic cost of the candidate.
        score: figures on the validation split at its last rung; None for an infeasible or failed trial.
        seconds: the workers' time at all rungs; None for a trial that never ran.
        error: why it failed; None for other trials.
        start: name of the start that it was proposed by; None for the sampler's proposals.
        metric: what the study ranks by.
        level: of a front, the index of the budget that it was projected to, 0 for the run's own; None without a front.
        rungs: its figures at every rung, the first one first.
        stage: the stage that was searched; None where all stages were searched together.
        conditions: how and where it was judged; None for a trial that was not.
        worker: host and process that judged it; None for a trial that was not judged.
        lost: for every worker that was lost while it judged the trial, the reason.
        repeats: number of the trial of equal parameters whose figures it has, None for one that was judged itself.
        began, ended: when it was proposed, and when it was settled; not compared.
    """

    number: int
    state: str
    parameters: CompressionParameters
    cost: Cost
    score: Score | None
    seconds: float | None
    error: str | None
    start: str | None
    metric: Metric = ACCURACY
    level: int | None = None
    rungs: tuple[Rung, ...] = ()
    stage: str | None = None
    conditions: Conditions | None = None
    worker: str | None = None
    lost: tuple[str, ...] = ()
    repeats: int | None = None
    began: datetime | None = field(default=None, compare=False)
    ended: datetime | None = field(default=None, compare=False)

    @property
    def steps(self) -> int | None:
        """Training steps of its last rung; None where it was not judged."""
        return self.rungs[-1].steps if self.rungs else None

    @property
    def reached(self) -> int:
        """Number of rungs at which it was judged."""
        return len(self.rungs)

    @property
    def source(self) -> str:
        """The trial as messages and files name it: ``trial 17``, in a staged search ``prune trial 17``."""
        trial = f"trial {self.number}"
        return trial if self.stage is None else f"{self.stage} {trial}"

    @property
    def objective(self) -> float:
        """The value that the study maximizes, at its last rung; minus infinity for an infeasible or failed trial."""
        return -math.inf if self.score is None else self.score.objective(self.metric)

    @property
    def rank(self) -> tuple[float, ...]:
        """Sort key, the best trial has the largest: rungs reached, then the objective, then the lower loss."""
        return self.reached, self.objective, -(0.0 if self.score is None else self.score.loss)


def interrupted_count(study: optuna.Study) -> int:
    """Number of queued trials that workers had begun when the search was interrupted: they are judged next."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return sum(BEGUN in trial.user_attrs for trial in waiting)


def describe(
    trial: optuna.Trial,
    parameters: CompressionParameters,
    cost: Cost,
    violation: float | None,
    stage: str | None = None,
) -> None:
    """Store a trial's parameters and cost before it runs; a trial that was interrupted has them already.

    Args:
        trial: Optuna's trial.
        parameters: ratios and ranks of the candidate.
        cost: of the candidate.
        violation: of the budget, as a constraint for samplers; None for projected proposals, which always meet it: a
            constraint would teach the sampler nothing, and cost a Gaussian process another fit per proposal.
        stage: that is searched; None where all stages are searched together.
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
    trial.set_user_attr(COST, cost.stored())


def finish(
    study: optuna.Study,
    trial: optuna.Trial,
    reported: Judgement,
    metric: Metric = ACCURACY,
    stopped: bool = False,
    repeats: int | None = None,
) -> TrialRecord:
    """Store the outcome of a trial; a figure that is not finite makes it a failed one.

    Args:
        study: of the trial.
        trial: Optuna's trial.
        reported: the worker's judgement.
        metric: what the study ranks by.
        stopped: whether it ends at an earlier rung than the last.
        repeats: number of the earlier trial whose judgement this is; None for one that ran itself.
    """
    judgement = reported.checked(metric)
    if repeats is None:
        trial.set_user_attr(SECONDS, judgement.seconds)
    else:
        trial.set_user_attr(REPEATS, repeats)
    if judgement.conditions is not None:
        trial.set_user_attr(CONDITIONS, asdict(judgement.conditions))
    if judgement.worker is not None:
        trial.set_user_attr(WORKER, judgement.worker)
    if judgement.lost:
        trial.set_user_attr(LOST, list(judgement.lost))
    score = judgement.score
    if score is None:
        trial.set_user_attr(ERROR, judgement.error)
        return record_of(study.tell(trial, state=TrialState.FAIL))
    trial.set_user_attr(FIGURES, dict(score.figures))
    trial.set_user_attr(METRIC, stored(metric))
    if stopped:
        return record_of(study.tell(trial, state=TrialState.PRUNED))
    value = score.objective(metric)
    allowed = trial.user_attrs.get(ALLOWED)
    # A front has two objectives. The second is the level's limit, not the trial's cost: then the best trial of a level
    # dominates all others of it.
    return record_of(study.tell(trial, value if allowed is None else [value, allowed]))


def reject(study: optuna.Study, trial: optuna.Trial) -> TrialRecord:
    """Close a trial that is over the budget without judging it."""
    return record_of(study.tell(trial, state=TrialState.PRUNED))


def records(study: optuna.Study) -> list[TrialRecord]:
    """Every finished trial, in the order of their numbers."""
    return [record_of(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def settled_count(study: optuna.Study) -> int:
    """How many trials are finished."""
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def record_of(trial: FrozenTrial, with_parameters: bool = True) -> TrialRecord:
    """The record of one finished trial.

    Args:
        trial: of the study.
        with_parameters: whether to read its ratios and ranks, which takes three quarters of the time; else it has none.
    """
    attributes: dict[str, Any] = trial.user_attrs
    state = _state(trial)
    return TrialRecord(
        number=trial.number,
        state=state,
        parameters=loads(attributes[PARAMETERS]).parameters if with_parameters else CompressionParameters.none(),
        cost=Cost.restored(attributes[COST]),
        score=Score(attributes[FIGURES]) if state in (COMPLETE, STOPPED) else None,
        seconds=attributes.get(SECONDS),
        error=attributes.get(ERROR),
        start=attributes.get(START),
        metric=restored(attributes[METRIC]) if METRIC in attributes else ACCURACY,
        level=attributes.get(LEVEL),
        rungs=rungs_of(attributes),
        stage=attributes.get(STAGE),
        conditions=conditions_of(attributes),
        worker=attributes.get(WORKER),
        lost=tuple(attributes.get(LOST, ())),
        repeats=attributes.get(REPEATS),
        began=_proposed(trial),
        ended=trial.datetime_complete,
    )


def _proposed(trial: FrozenTrial) -> datetime | None:
    """When a trial was proposed; Optuna's own time is overwritten when a trial is asked for again."""
    kept = trial.user_attrs.get(PROPOSED)
    return trial.datetime_start if kept is None else datetime.fromisoformat(kept)


def _state(trial: FrozenTrial) -> str:
    if trial.state == TrialState.PRUNED:
        return STOPPED if rungs_of(trial.user_attrs) else INFEASIBLE
    return COMPLETE if trial.state == TrialState.COMPLETE else FAILED


def first_rung_objective(trial: FrozenTrial) -> float | None:
    """The value that is maximized, at the first rung, where all trials of a study are comparable.

    Trials that run or failed at a later rung have one, too; None where the first rung is not judged, or failed.
    """
    rungs = rungs_of(trial.user_attrs)
    return rungs[0].objective if rungs else None
