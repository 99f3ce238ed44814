"""What a trial scored at one rung, as it is stored in the study."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import optuna

RUNGS = "rungs"


@dataclass(frozen=True)
class Rung:
    """A trial's figures on the validation split after so many steps.

    Attributes:
        steps: SGD steps in all.
        accuracy: top-1.
        loss: cross-entropy in nats.
        score: what is maximized.
        value: of a metric that is neither accuracy nor loss, None for these.
    """

    steps: int
    accuracy: float
    loss: float
    score: float
    value: float | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """The greater is the better: by score, of equals the one of the lower loss."""
        return self.score, -self.loss


def rungs_of(attributes: Mapping[str, Any]) -> tuple[Rung, ...]:
    """The rungs in a trial's attributes, the first one first."""
    return tuple(Rung(**fields) for fields in attributes.get(RUNGS, ()))


def keep_rung(trial: optuna.Trial, rung: Rung) -> tuple[Rung, ...]:
    """Store a rung, and return all that are known of the trial.

    A trial that was interrupted climbs anew: what was stored of it before stands.
    """
    known = rungs_of(trial.user_attrs)
    if any(other.steps == rung.steps for other in known):
        return known
    found = (*known, rung)
    trial.set_user_attr(RUNGS, [asdict(one) for one in found])
    return found


def report_rung(study: optuna.Study, trial: optuna.Trial, rung: Rung) -> None:
    """Tell Optuna, whose samplers may learn from trials that are stopped; it takes each step only once."""
    if rung.steps not in study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        trial.report(rung.score, rung.steps)


class Climbed(Protocol):
    """Whatever has rungs."""

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Those that it was judged at."""


def rung_counts(found: Iterable[Climbed]) -> Counter[int]:
    """How many were judged at each rung, by its steps."""
    return Counter(rung.steps for record in found for rung in record.rungs)


def counts_text(counts: Mapping[int, int]) -> str:
    """The same as text, from the first rung to the last; empty where all have the same single rung."""
    if len(counts) < 2:
        return ""
    first, *others = sorted(counts)
    return ", ".join([f"{counts[first]} trials at {first} steps", *(f"{counts[steps]} at {steps}" for steps in others)])
