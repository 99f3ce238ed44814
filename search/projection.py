"""Projection onto the budget: every proposal becomes one that just meets it, so no trial is spent on another."""

import math
from dataclasses import dataclass

from compress.parameters import CompressionParameters
from objectives.budget import Budget
from objectives.cost import Cost
from objectives.quantity import MEMORY
from search.bisection import tightest
from search.leaner import leaner
from search.memory_caps import MemoryCaps
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

        Memory, which ranks hardly change, is met first, by the groups alone: what it allows of each is its cap.

        Raises:
            BudgetError: not even the smallest model of the space fits.
        """
        self.check_reachable()
        positive = {name: max(value, _SMALLEST_SCALE) for name, value in wanted.items()}
        limit = self.budget.limit(MEMORY)
        caps = {} if limit is None else MemoryCaps(self.space, limit.most)(positive)

        def scaled(log: float) -> dict[str, float]:
            scale = math.exp(log)
            return {name: min(value * scale, caps.get(name, 1.0)) for name, value in positive.items()}

        smallest = math.log(_SMALLEST_SCALE)
        log = tightest(lambda log: self._fits(scaled(log)), fitting=smallest, failing=-smallest)
        return self._decoded(self._filled(scaled(log)))

    def check_reachable(self) -> None:
        """Refuse a budget that no candidate meets.

        Raises:
            BudgetError: names the limit that is missed most, and the smallest figure: of all candidates, or of those
                that are as lean as the other limits need.
        """
        self.budget.check_reachable(self.space.smallest())
        leanest = self._decoded(dict.fromkeys(self.space.dimensions, 0.0))
        self.budget.check_reachable(self._cost(leanest), " within the other limits")

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
        return self.budget.violation(self._cost(self._decoded(wanted))) <= 0

    def _decoded(self, wanted: Preferences) -> CompressionParameters:
        return leaner(self.space.cost, self.budget, self.space.decode(wanted), self.space.settings.step)

    def _cost(self, parameters: CompressionParameters) -> Cost:
        return self.space.cost.cost(parameters, self.space.settings.step)
