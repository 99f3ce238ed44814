"""Projection onto the budget: every proposal becomes one that just meets it, so no trial is spent on another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.parameters import CompressionParameters
from objectives.budget.budget import Budget
from objectives.budget.feasible import drop_costly_ranks
from objectives.cost.cost import Cost
from objectives.cost.quantities.standard import LATENCY, MEMORY
from search.space.memory_caps import MemoryCaps
from search.space.scaling import SMALLEST_SCALE, Fits, Floats, filled, scaled_to_fit
from search.space.space import Preferences, SearchSpace


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
        row = self.space.row(wanted)
        caps = self.space.row(self._caps(wanted))
        fits = self._fits_exactly if self._has_detours else self._fits
        found = self._decoded(self._named(self._spent(fits, row, caps)))
        if self.budget.violation(self._cost(found)) > 0:
            self.check_reachable()
        return found

    def many(self, wanted: Floats, fill: bool = True) -> Floats:
        """What is left of every dimension by proposals (N, D) in the order of the space's, each just within the budget.

        The same as one by one, as ``SpaceArrays.fractions`` tells it, unless memory or latency is limited: then it is
        a little below what is possible.

        Args:
            wanted: preferences, (N, D).
            fill: whether to spend what rounding leaves over, which is most of the work.
        """
        spent = self.space.arrays.decode(self._spent(self._fits, wanted, 1.0, fill))
        return self.space.arrays.fractions(spent.kept, spent.ranks)

    def _spent(self, fits: Fits, wanted: Floats, caps: Floats | float, fill: bool = True) -> Floats:
        scaled = scaled_to_fit(fits, np.maximum(wanted, SMALLEST_SCALE), caps)
        if not fill:
            return scaled
        settings = self.space.settings
        steps = [settings.ratio_step if name.startswith("keep:") else settings.rank_step for name in self._names]
        return filled(fits, scaled, np.array(steps))

    @property
    def _names(self) -> tuple[str, ...]:
        return self.space.dimensions

    def _named(self, row: Floats) -> dict[str, float]:
        return dict(zip(self._names, row[0].tolist(), strict=True))

    def _caps(self, wanted: Preferences) -> dict[str, float]:
        whole = dict.fromkeys(self._names, 1.0)
        limit = self.budget.limit(MEMORY)
        if limit is None:
            return whole
        return whole | MemoryCaps(self.space, limit.most)({n: max(v, SMALLEST_SCALE) for n, v in wanted.items()})

    @property
    def _has_detours(self) -> bool:
        """Whether a layer's parts may break a limit that the whole layer keeps."""
        return any(self.budget.limit(quantity) is not None for quantity in (MEMORY, LATENCY))

    def scaled(self, wanted: Floats) -> Floats:
        """Proposals (N, D) scaled to the budget, before they are brought to the grid."""
        return self._spent(self._fits, wanted, 1.0, fill=False)

    def violations(self, wanted: Floats) -> Floats:
        """How far fractions (N, D) are over the budget as they are, (N,)."""
        candidates = self.space.arrays.decode(wanted)
        return self.budget.violations(self.space.cost, candidates.kept, candidates.ranks)

    def _fits(self, wanted: Floats) -> NDArray[np.bool_]:
        return self.violations(wanted) <= 0

    def _fits_exactly(self, wanted: Floats) -> NDArray[np.bool_]:
        costs = [self._cost(self._decoded(self._named(row[None]))) for row in wanted]
        return np.array([self.budget.violation(cost) <= 0 for cost in costs])

    def check_reachable(self) -> None:
        """Refuse a budget that no candidate meets.

        Raises:
            BudgetError: names the limit that is missed most, and the smallest figure: of all candidates, or of those
                that are as lean as the other limits need.
        """
        self.budget.check_reachable(self.space.smallest())
        leanest = self._decoded(dict.fromkeys(self.space.dimensions, 0.0))
        self.budget.check_reachable(self._cost(leanest), " within the other limits")

    def _decoded(self, wanted: Preferences) -> CompressionParameters:
        return drop_costly_ranks(self.space.cost, self.budget, self.space.decode(wanted), self.space.settings.step)

    def _cost(self, parameters: CompressionParameters) -> Cost:
        return self.space.cost.cost(parameters, self.space.settings.step)
