"""Preferences from a sweep: every part loses as much for what it saves as any other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from objectives.budget import Budget
from search.bisection import tightest
from search.preferences import LOWEST_PREFERENCE
from search.probe import Part, parts_of
from search.sensitivity import Sensitivity
from search.space import SearchSpace

START = "sensitivity"
"""What the start that these preferences make is called."""

_ROUNDS = 4
_LARGEST = 30.0

Kept = Mapping[str, float]
"""Fraction that is kept, by the name of the part."""


def equalized(found: Sensitivity, space: SearchSpace, budget: Budget) -> dict[str, float]:
    """Preferences that lose the least by the sweep's measure, and just meet the budget.

    A part of which a fraction f is kept is taken to lose D ((1 - f) / (1 - p))^2, where it lost D at the sweep's
    fraction p: nothing while it is whole, and the more for every further step. The sum over all parts is the smallest
    at a given cost where a further step loses as much for what it saves in all of them (Lagrange), so where
    1 - f = l C (1 - p)^2 / D. C is what the part costs per unit of f, as a share of the limit that is broken most, and
    l, the same for all, is found by bisection. C depends on what is kept of the other parts, so that this is repeated
    with the parts as found.

    A part that the sweep could not judge is taken to lose as much as the middle one.
    """
    parts = _Parts(space, budget, tuple(parts_of(space)))
    drops = found.robust_drops(part.dimensions[0] for part in parts.parts)
    kept: Kept = {part.name: 1.0 for part in parts.parts}
    for _ in range(_ROUNDS):
        worth = parts.worth(kept)
        slopes = {
            part.name: worth[part.name] * (1 - part.kept) ** 2 / drops[part.dimensions[0]] for part in parts.parts
        }
        kept = parts.just_meeting(slopes)
    return parts.wanted(kept)


@dataclass(frozen=True)
class _Parts:
    """The parts of a space, and what they cost of a budget."""

    space: SearchSpace
    budget: Budget
    parts: tuple[Part, ...]

    def wanted(self, kept: Kept) -> dict[str, float]:
        """Preferences that keep so much."""
        chosen = {dimension: kept[part.name] for part in self.parts for dimension in part.dimensions}
        return dict.fromkeys(self.space.dimensions, 1.0) | chosen

    def worth(self, kept: Kept) -> dict[str, float]:
        """What each part costs per unit of its fraction, between whole and probed, the others as they are."""
        return {
            part.name: max(0.0, self._share({**kept, part.name: 1.0}) - self._share({**kept, part.name: part.kept}))
            / (1 - part.kept)
            for part in self.parts
        }

    def just_meeting(self, slopes: Mapping[str, float]) -> Kept:
        """The largest fractions 1 - l x slope that meet the budget, for any l."""

        def at(log: float) -> Kept:
            return {name: min(1.0, max(LOWEST_PREFERENCE, 1 - math.exp(log) * slope)) for name, slope in slopes.items()}

        return at(tightest(lambda log: self._share(at(log)) <= 1, fitting=_LARGEST, failing=-_LARGEST))

    def _share(self, kept: Kept) -> float:
        """Cost as a share of the limit that is broken most."""
        parameters = self.space.decode(self.wanted(kept))
        return 1 + self.budget.violation(self.space.cost.cost(parameters, self.space.settings.step))
