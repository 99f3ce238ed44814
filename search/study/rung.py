"""What a trial scored at one rung, as it is stored in the study."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from objectives.accuracy.metric import Score

RUNGS = "rungs"


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
