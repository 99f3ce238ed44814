"""Projection onto the budget: scales every proposal until it just meets the budget, so that no trial is wasted."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.budget.budget import STEPS, Budget, drop_costly_ranks
from objectives.cost.quantities.standard import LATENCY, MEMORY
from search.space.memory_caps import MemoryCaps
from search.space.space import Candidate, Floats, SearchSpace

Fits = Callable[[Floats], NDArray[np.bool_]]
"""Whether each row of fractions (N, D) meets the budget."""

SMALLEST_SCALE = 1e-6
"""Scales are searched between this and its inverse; at the smallest one all fractions are below any grid step."""


@dataclass(frozen=True)
class Projection:
    """Scales preferences until the budget is just met.

    Attributes:
        space: the search space of the preferences.
        budget: what the result may cost.
    """

    space: SearchSpace
    budget: Budget

    def __call__(self, wanted: Floats) -> Candidate:
        """The candidate of the largest multiple of the preferences (D,) that fits, filled up by single grid steps.

        Memory, which ranks hardly change, is met first, by a cap on the fraction of each group.

        Raises:
            BudgetError: not even the smallest model of the space fits.
        """
        fits = self._fits_exactly if self._limits_memory_or_latency else self._fits
        candidate = self._candidate(self._scaled_and_filled(fits, wanted[None], self._caps(wanted))[0])
        if self.budget.violation(candidate.cost) > 0:
            self.check_reachable()
        return candidate

    def many(self, wanted: Floats, fill: bool = True) -> Floats:
        """Fractions (N, D) that proposals (N, D) keep after projection.

        They are the ``SpaceArrays.fractions`` of the candidates that a call returns, or slightly less where memory or
        latency is limited.

        Args:
            wanted: preferences, (N, D).
            fill: whether to add single grid steps to what rounding leaves over, which is most of the work.
        """
        candidates = self.space.arrays.decode(self._scaled_and_filled(self._fits, wanted, 1.0, fill))
        return self.space.arrays.fractions(candidates.kept, candidates.ranks)

    def _scaled_and_filled(self, fits: Fits, wanted: Floats, caps: Floats | float, fill: bool = True) -> Floats:
        """Preferences (N, D) scaled to the budget and, with ``fill``, filled up by grid steps."""
        scaled = scaled_to_fit(fits, np.maximum(wanted, SMALLEST_SCALE), caps)
        if not fill:
            return scaled
        if len(scaled) == 1 and fits == self._fits:
            return filled_one(fits, scaled[0], self.space.arrays.grid)[None]
        return filled(fits, scaled, self.space.arrays.grid)

    def _caps(self, wanted: Floats) -> Floats:
        """The largest fraction of each dimension that memory allows, (D,)."""
        caps, limit, groups = np.ones(len(wanted)), self.budget.limit(MEMORY), len(self.space.groups)
        if limit is not None:
            arrays = self.space.arrays
            keep = np.maximum(arrays.with_fixed(wanted[None])[0, :groups], SMALLEST_SCALE)
            free = arrays.is_free[:groups]
            caps[: np.count_nonzero(free)] = MemoryCaps(self.space, limit.most)(keep)[free]
        return caps

    @property
    def _limits_memory_or_latency(self) -> bool:
        """Whether a limit exists that the parts of a decomposed layer may exceed where the whole layer does not."""
        return any(self.budget.limit(quantity) is not None for quantity in (MEMORY, LATENCY))

    def scaled(self, wanted: Floats) -> Floats:
        """Proposals (N, D) scaled to the budget, without rounding to the grid."""
        return self._scaled_and_filled(self._fits, wanted, 1.0, fill=False)

    def violations(self, wanted: Floats) -> Floats:
        """How far fractions (N, D) exceed the budget, as a fraction of the limit exceeded most, (N,)."""
        candidates = self.space.arrays.decode(wanted)
        return self.budget.violations(self.space.cost, candidates.kept, candidates.ranks)

    def _fits(self, wanted: Floats) -> NDArray[np.bool_]:
        return self.violations(wanted) <= 0

    def _fits_exactly(self, wanted: Floats) -> NDArray[np.bool_]:
        return np.array([self.budget.violation(self._candidate(row).cost) <= 0 for row in wanted])

    def check_reachable(self) -> None:
        """Refuse a budget that no candidate meets.

        Raises:
            BudgetError: names the limit that is missed most and the smallest figure of any candidate, or of the
                candidates that meet the other limits.
        """
        self.budget.check_reachable(self.space.smallest(), remedy=self._remedy)
        leanest = self._candidate(np.zeros(len(self.space.dimensions)))
        self.budget.check_reachable(leanest.cost, " within the other limits", self._remedy)

    @property
    def _remedy(self) -> str:
        bounded = ", or widen the choices of space.layers" if self.space.settings.choices.layers else ""
        return f"raise the budget or space.ratio_max{bounded}"

    def _candidate(self, wanted: Floats) -> Candidate:
        """The candidate of fractions (D,), without ranks that exceed a limit which the whole layer does not."""
        decoded, step = self.space.decode(wanted), self.space.settings.step
        fixed = self.space.always_decomposed
        return self.space.candidate(drop_costly_ranks(self.space.cost, self.budget, decoded, step, fixed))


def scaled_to_fit(fits: Fits, wanted: Floats, caps: Floats | float = 1.0) -> Floats:
    """The largest multiple of each row of preferences that fits, (N, D), by bisection on the factor's logarithm.

    Args:
        fits: the test; the smallest multiple is assumed to pass.
        wanted: positive preferences, (N, D).
        caps: upper bounds of the fractions, broadcast to (N, D).
    """
    least = math.log(SMALLEST_SCALE)
    fitting, failing = np.full((len(wanted), 1), least), np.full((len(wanted), 1), -least)
    for _ in range(STEPS):
        middle = (fitting + failing) / 2
        fit = fits(np.minimum(wanted * np.exp(middle), caps))[:, None]
        fitting, failing = np.where(fit, middle, fitting), np.where(fit, failing, middle)
    return np.asarray(np.minimum(wanted * np.exp(fitting), caps))


def filled(fits: Fits, fractions: Floats, steps: Floats) -> Floats:
    """Raise each fraction by one grid step where that still fits, those nearest to their next grid point first.

    Args:
        fits: the test, which every row passes at first.
        fractions: of every dimension, (N, D).
        steps: grid step of every dimension, (D,).

    Returns:
        Fractions (N, D).
    """
    rows = np.arange(len(fractions))
    for column in _nearest_first(fractions, steps).T:
        here = fractions[rows, column]
        raised = fractions.copy()
        raised[rows, column] = np.minimum(1.0, here + steps[column])
        fit = (here < 1) & fits(raised)
        fractions = np.where(fit[:, None], raised, fractions)
    return fractions


def filled_one(fits: Fits, fractions: Floats, steps: Floats) -> Floats:
    """``filled`` for a single proposal (D,), in fewer calls of the test, which takes many rows as fast as one.

    All remaining dimensions are tested at once, each raised alone. The first that fits is raised; those before it are
    done, and the rest is tested again.
    """
    order = _nearest_first(fractions[None], steps)[0]
    order = order[fractions[order] < 1]
    while order.size:
        raised = np.tile(fractions, (order.size, 1))
        raised[np.arange(order.size), order] = np.minimum(1.0, fractions[order] + steps[order])
        fit = fits(raised)
        if not fit.any():
            break
        first = int(fit.argmax())
        fractions, order = raised[first], order[first + 1 :]
    return fractions


def _nearest_first(fractions: Floats, steps: Floats) -> NDArray[np.intp]:
    """Indices of the dimensions for each row, (N, D): nearest to their next grid point first, whole ones last."""
    missing = np.where(fractions < 1, -(fractions / steps) % 1, np.inf)
    return np.argsort(missing, axis=1, kind="stable")
