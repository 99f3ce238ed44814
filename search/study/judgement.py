"""Judgements, which workers report of candidates, and rungs: what a trial scored after ever more steps."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import optuna

from compress.parameters import CompressionParameters
from objectives.accuracy.metric import Metric, Score
from search.study.conditions import Conditions

RUNGS = "rungs"


@dataclass(frozen=True)
class Judgement:
    """A worker's report on one candidate: its figures on the validation split, or the error that stopped it.

    Attributes:
        score: its figures on the validation split, None after an error.
        seconds: what it took.
        error: one line, None for a candidate that was judged.
        parameters: the values that the worker chose itself, None where they were given.
        conditions: how and where, None for finalists.
        worker: host and process, None for finalists.
        lost: why each worker that had the candidate before is gone.
        model: what became of the candidate, as ``model_bytes`` packs it, where that was asked for.
    """

    score: Score | None
    seconds: float
    error: str | None = None
    parameters: CompressionParameters | None = None
    conditions: Conditions | None = None
    worker: str | None = None
    lost: tuple[str, ...] = ()
    model: bytes | None = None

    @classmethod
    def failed(cls, seconds: float, error: str) -> "Judgement":
        """A candidate that could not be judged."""
        return cls(None, seconds, error)

    def checked(self, metric: Metric) -> "Judgement":
        """This judgement, or a failed one where a figure is missing or not finite: such a candidate has no rank."""
        if self.error is not None:
            return self
        figures = {} if self.score is None else self.score.figures(metric)
        broken = {name: figure for name, figure in figures.items() if figure is None or not math.isfinite(figure)}
        if self.score is not None and not broken:
            return self
        received = ", ".join(f"{name} {figure}" for name, figure in broken.items()) or "none"
        error = f"expected finite figures on the validation images, received {received}"
        return replace(Judgement.failed(self.seconds, error), worker=self.worker, lost=self.lost)


@dataclass(frozen=True)
class Rung:
    """A trial's figures on the validation split after so many steps.

    Attributes:
        steps: SGD steps in all.
        score: the figures.
        objective: what the study maximizes.
    """

    steps: int
    score: Score
    objective: float

    @property
    def rank(self) -> tuple[float, float]:
        """The greater is the better: by score, of equals the one of the lower loss."""
        return self.objective, -self.score.loss


def rungs_of(attributes: Mapping[str, Any]) -> tuple[Rung, ...]:
    """The rungs in a trial's attributes, the first one first."""
    return tuple(
        Rung(fields["steps"], Score(fields["accuracy"], fields["loss"], fields["value"]), fields["score"])
        for fields in attributes.get(RUNGS, ())
    )


def keep_rung(trial: optuna.Trial, rung: Rung) -> tuple[Rung, ...]:
    """Store a rung, and return all that are known of the trial.

    An interrupted trial is judged again from its first rung; what was stored of it before is not overwritten.
    """
    known = rungs_of(trial.user_attrs)
    if any(other.steps == rung.steps for other in known):
        return known
    rungs = (*known, rung)
    trial.set_user_attr(RUNGS, [_fields(one) for one in rungs])
    return rungs


def _fields(rung: Rung) -> dict[str, float | None]:
    """A rung as trials store it."""
    return {"steps": rung.steps, **asdict(rung.score), "score": rung.objective}


def report_rung(study: optuna.Study, trial: optuna.Trial, rung: Rung) -> None:
    """Report a rung to Optuna, whose samplers may learn from stopped trials; it takes each step only once."""
    if rung.steps not in study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        trial.report(rung.objective, rung.steps)


def rung_counts(of_trials: Iterable[tuple[Rung, ...]]) -> Counter[int]:
    """How many trials were judged at each rung, by its steps, from the rungs of every trial."""
    return Counter(rung.steps for rungs in of_trials for rung in rungs)


def counts_text(counts: Mapping[int, int]) -> str:
    """What ``rung_counts`` counted, from the first rung to the last; empty where there is a single rung."""
    if len(counts) < 2:
        return ""
    first, *others = sorted(counts)
    return ", ".join([f"{counts[first]} trials at {first} steps", *(f"{counts[steps]} at {steps}" for steps in others)])
