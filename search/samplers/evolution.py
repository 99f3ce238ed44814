"""An evolutionary search among candidates that all meet the budget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Project = Callable[[Floats, bool], Floats]
"""Preferences (N, D) to the fractions (N, D) that candidates keep, each just within the budget; whether to fill up."""

Worth = Callable[[Floats], Floats]
"""How good candidates are, (N,), by the fractions (N, D) that they keep."""

ELITES = 20
"""Proposals that each round begins with."""

_POPULATION, _FRESH = 160, 40
"""Proposals that each round adds, and random ones that the first round begins with."""

_MIXES = (0.0, 0.0, 0.2, 0.5)
"""Shares of dimensions that a descendant takes from a second parent."""

_CHANGES = (0.15, 0.4, 0.8)
"""Standard deviations of the logarithm by which preferences change."""


@dataclass(frozen=True)
class Population:
    """Proposals, what they keep, and what they are worth: (N, D), (N, D) and (N,)."""

    wanted: Floats
    kept: Floats
    worth: Floats

    def best(self, count: int) -> Self:
        """The most worthy, each candidate once."""
        _, first = np.unique(np.round(self.kept, 6), axis=0, return_index=True)
        order = first[np.argsort(-self.worth[first], kind="stable")][:count]
        return type(self)(self.wanted[order], self.kept[order], self.worth[order])

    def joined(self, other: "Population") -> Self:
        """The proposals of both populations."""
        pairs = ((self.wanted, other.wanted), (self.kept, other.kept), (self.worth, other.worth))
        return type(self)(*(np.concatenate(pair) for pair in pairs))


def evolved(
    worth: Worth,
    project: Project,
    first: Floats,
    lowest: float,
    rng: np.random.Generator,
    *,
    rounds: int = 10,
    elites: int = ELITES,
) -> Population:
    """The most worthy proposals of some rounds, most worthy first, filled up to the budget.

    Descendants of the best change a few preferences or mix two parents, and are projected.

    Args:
        worth: what is maximized.
        project: brings preferences to the budget.
        first: preferences (n, D) that the search begins with, besides random ones.
        lowest: the smallest preference; the largest is 1.
        rng: of all random choices.
        rounds: how often the best have descendants.
        elites: how many proposals each round begins with, and at most are returned.
    """

    def judged(wanted: Floats, fill: bool = False) -> Population:
        kept = project(wanted, fill)
        return Population(wanted, kept, worth(kept))

    fresh = rng.uniform(lowest, 1, (_FRESH, first.shape[1]))
    best = judged(np.clip(first, lowest, 1)).joined(judged(fresh))
    for _ in range(rounds):
        best = best.joined(judged(_descendants(best.kept, lowest, rng))).best(elites)
    return judged(best.wanted, fill=True).best(elites)


def _descendants(parents: Floats, lowest: float, rng: np.random.Generator) -> Floats:
    """Proposals (N, D) from what parents (n, D) keep."""
    shape = (_POPULATION, parents.shape[1])
    first, second = (parents[rng.integers(0, len(parents), _POPULATION)] for _ in range(2))
    mixed = np.where(rng.random(shape) < rng.choice(_MIXES, (_POPULATION, 1)), second, first)
    # Between about one and a third of the dimensions.
    rate = np.exp(rng.uniform(np.log(min(0.35, 1.5 / shape[1])), np.log(0.35), (_POPULATION, 1)))
    change = rng.choice(_CHANGES, (_POPULATION, 1)) * rng.normal(size=shape) * (rng.random(shape) < rate)
    return np.asarray(np.clip(mixed * np.exp(change), lowest, 1))
