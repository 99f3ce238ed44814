"""Projection onto the budget: every proposal becomes one that just meets it, so no trial is spent on another."""

import math
from dataclasses import dataclass

from compress.parameters import CompressionParameters
from objectives.budget import Budget
from search.bisection import tightest
from search.space import Preferences, SearchSpace

_SMALLEST_SCALE = 1e-6
"""Scales are searched between it and its inverse; what is kept at the smallest is below any grid."""


@dataclass(frozen=True)
class Projection:
    """Scales preferences until the budget is just met.

    Attributes:
        space: what the preferences decode in.
        budget: what the result may cost.
    """

    space: SearchSpace
    budget: Budget

    def __call__(self, wanted: Preferences) -> CompressionParameters:
        """The largest multiple of the preferences that fits, then one grid step more wherever that still fits.

        Raises:
            BudgetError: not even the smallest model of the space fits.
        """
        self.budget.check_reachable(self.space.smallest())
        positive = {name: max(value, _SMALLEST_SCALE) for name, value in wanted.items()}
        smallest = math.log(_SMALLEST_SCALE)
        scale = tightest(lambda log: self._fits(_times(positive, math.exp(log))), fitting=smallest, failing=-smallest)
        return self.space.decode(self._filled(_times(positive, math.exp(scale))))

    def _filled(self, wanted: dict[str, float]) -> dict[str, float]:
        """Spend what the grid's rounding left over, nearest grid point first."""
        settings = self.space.settings
        steps = {name: settings.ratio_step if name.startswith("keep:") else settings.rank_step for name in wanted}
        missing = {name: -(value / steps[name]) % 1 for name, value in wanted.items() if value < 1}
        for name in sorted(missing, key=lambda name: (missing[name], name)):
            raised = {**wanted, name: min(1.0, wanted[name] + steps[name])}
            if self._fits(raised):
                wanted = raised
        return wanted

    def _fits(self, wanted: Preferences) -> bool:
        cost = self.space.cost.cost(self.space.decode(wanted), self.space.settings.step)
        return self.budget.violation(cost) <= 0


def _times(wanted: Preferences, scale: float) -> dict[str, float]:
    return {name: min(1.0, value * scale) for name, value in wanted.items()}
