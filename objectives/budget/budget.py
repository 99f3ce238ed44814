"""Budgets: limits of what a model may cost, and values brought within them."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np

from compress.errors import BudgetError
from compress.parameters import SINGLE_CHANNELS, ChannelStep, CompressionParameters
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CandidateCosts, CostModel
from objectives.cost.latency_table import LatencyTable
from objectives.cost.quantities.standard import LATENCY, MEMORY
from objectives.cost.quantity import MULTIPLES, Quantity, quantities
from objectives.cost.terms import Floats, Ints

_AMOUNT = re.compile(r"(?P<number>(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?)\s*(?P<unit>[%x]?|[kmg]b?|[um]?s)", re.I | re.A)


@dataclass(frozen=True)
class Limit:
    """The most that a compressed model may cost of one quantity.

    Attributes:
        quantity: what is limited.
        most: the largest figure that is allowed, as `objectives.cost` counts it.
        text: the limit as the user wrote it, for tables and messages.

    Raises:
        BudgetError: if the largest figure is not a positive finite number.
    """

    quantity: Quantity
    most: float
    text: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.most) and self.most > 0):
            raise BudgetError(
                f"budget: expected a positive finite number of {self.quantity.unit}, received {self.most!r}"
            )

    @classmethod
    def parse(cls, quantity: Quantity, value: float | int | str, original: float) -> Self:
        """Return the limit that `value` means for a model of `original` FLOPs, parameters, bytes or microseconds.

        Accepted: a fraction 0 < f <= 1 of the original (0.25), a percentage ("25%"), a factor ("4x" is a quarter), and
        absolute amounts ("403.6M", "1.2G", "500k", "613430000", or a whole number above 1; bytes also "2.5MB"; times
        only with their unit, "12ms").

        Raises:
            BudgetError: if `value` has none of these forms, or leaves nothing to compress (above the original).
        """
        if original < 1:
            raise BudgetError(f"budget: expected a model of at least 1 {quantity.single}, received {original:g}")
        most = _amount(quantity, value, original)
        if most is None or most <= 0:
            raise BudgetError(
                f"budget.{quantity.name}: expected a fraction (0.25), a percentage (25%), a factor (4x), or"
                f" {quantity.unit} ({quantity.examples}), received {value!r}"
            )
        if most > original:
            raise BudgetError(
                f"budget.{quantity.name}: expected at most the original {original:.0f} {quantity.unit}, received"
                f" {value!r} = {float(most):.0f}; nothing to compress: give a smaller budget"
            )
        return cls(quantity, float(most), str(value).strip())

    def violation(self, cost: Cost) -> float:
        """Return how far a cost is over the limit, as a fraction of it: 0.1 is 10 % over, <= 0 is feasible."""
        return self.quantity.of(cost) / self.most - 1

    def partway(self, original: Cost, share: float) -> "Limit":
        """A limit part of the way from the original's figure (``share`` 0) to this one (1), on a logarithmic scale."""
        most = self.quantity.of(original) ** (1 - share) * self.most**share
        return Limit(self.quantity, most, f"{share:g} of the way to the budget")

    def missed(self, smallest: Cost, meaning: str, remedy: str) -> BudgetError:
        """The error for a limit below the smallest cost that can be reached.

        Args:
            smallest: that cost.
            meaning: what the cost is the smallest of, for the message.
            remedy: what to do, for the message.
        """
        name, unit = self.quantity.name, self.quantity.unit
        return BudgetError(
            f"budget.{name}: expected at least {self.quantity.exact(smallest)} {unit}, {meaning},"
            f" received {self.text} = {self.most:.0f}; {remedy}"
        )


def _amount(quantity: Quantity, value: float | int | str, original: float) -> Fraction | None:
    """The figure meant by `value`, exact in its decimal digits, or None where it has no accepted form."""
    match = None if isinstance(value, bool) else _AMOUNT.fullmatch(str(value).strip())
    if match is None:
        return None
    # Counts below 2^53 are exact in floats.
    whole = Fraction(original)
    number, unit = Fraction(match["number"]), match["unit"].lower()
    if unit == "%":
        return number / 100 * whole
    if unit == "x":
        return whole / number if number else None
    if not unit and number <= 1:
        return number * whole
    multiple = MULTIPLES[quantity.kind].get(unit)
    # 2.5 FLOPs is no budget: more likely 2.5x or 2.5 % was meant.
    if multiple is None or (not unit and number.denominator > 1):
        return None
    return number * multiple


@dataclass(frozen=True)
class Budget:
    """What a compressed model may cost.

    Attributes:
        limits: at least one, each of another quantity.
        table: what predicts latency; None where it is not limited.

    Raises:
        BudgetError: no limit, or two of the same quantity.
    """

    limits: tuple[Limit, ...]
    table: LatencyTable | None = None

    def __post_init__(self) -> None:
        names = [limit.quantity.name for limit in self.limits]
        if not names or len(set(names)) < len(names):
            raise BudgetError(f"budget: expected at least one limit, each of another quantity, received {names}")

    @classmethod
    def parse(
        cls, amounts: Mapping[str, float | int | str], original: Cost, table: LatencyTable | None = None
    ) -> "Budget":
        """The budget that amounts by a quantity's name mean for a model of the original cost.

        Raises:
            BudgetError: no amount, an unknown quantity, or an amount that is malformed or above the original.
        """
        unknown = [name for name in amounts if name not in quantities()]
        if unknown:
            raise BudgetError(f"budget: expected keys out of {', '.join(quantities())}, received {', '.join(unknown)}")
        limited = [quantity for name, quantity in quantities().items() if name in amounts]
        return cls(tuple(Limit.parse(item, amounts[item.name], item.of(original)) for item in limited), table)

    def limit(self, quantity: Quantity) -> Limit | None:
        """The limit of one quantity, None where it has none."""
        return next((limit for limit in self.limits if limit.quantity == quantity), None)

    def without(self, quantity: Quantity) -> "Budget | None":
        """The other limits, None where there are none."""
        others = tuple(limit for limit in self.limits if limit.quantity != quantity)
        return Budget(others, self.table) if others else None

    def violation(self, cost: Cost) -> float:
        """How far a cost is over the limit that it breaks most, as a fraction of it; <= 0 where it meets all."""
        return self.tightest(cost).violation(cost)

    def violations(self, model: CostModel, kept: Ints, ranks: Ints) -> Floats:
        """The violation of many candidates, shape (N,); arrays as ``CostModel.evaluate`` takes them."""
        costs = CandidateCosts(model, kept, ranks)
        violations = [limit.quantity.values(costs) / limit.most - 1 for limit in self.limits]
        return np.asarray(np.max(violations, axis=0))

    def tightest(self, cost: Cost) -> Limit:
        """The limit that a cost breaks most, or that has the least to spare."""
        return max(self.limits, key=lambda limit: limit.violation(cost))

    def partway(self, original: Cost, share: float) -> "Budget":
        """A budget part of the way from the original's cost (``share`` 0) to this one (1), on a logarithmic scale.

        Memory keeps its full limit: pruning alone lowers it, so that no later stage could make up the rest.
        """
        return Budget(
            tuple(limit if limit.quantity == MEMORY else limit.partway(original, share) for limit in self.limits),
            self.table,
        )

    def check_reachable(
        self, smallest: Cost, within: str = "", remedy: str = "raise the budget or space.ratio_max"
    ) -> None:
        """Refuse a budget that the smallest model of the search space does not meet.

        Args:
            smallest: the smallest cost that can be reached.
            within: the other conditions that this cost meets, for the message.
            remedy: what to do, for the message.

        Raises:
            BudgetError: names the limit that is missed most, and the smallest figure.
        """
        limit = self.tightest(smallest)
        if limit.violation(smallest) > 0:
            raise limit.missed(smallest, f"the smallest that this search space reaches{within}", remedy)


STEPS = 24
"""Halvings of the interval by bisection: 2**24 is sixteen million."""


def bisect(fits: Callable[[float], bool], *, fitting: float, failing: float, steps: int = STEPS) -> float:
    """The value nearest to ``failing`` that still fits, by bisection between a value taken to fit and one taken not to.

    ``fits`` may be noisy or not quite monotone: the value was tested to fit, or is ``fitting`` itself.
    """
    for _ in range(steps):
        middle = (fitting + failing) / 2
        fitting, failing = (middle, failing) if fits(middle) else (fitting, middle)
    return fitting


def drop_costly_ranks(
    cost: CostModel,
    budget: Budget,
    parameters: CompressionParameters,
    step: ChannelStep = SINGLE_CHANNELS,
    fixed: Collection[str] = (),
) -> CompressionParameters:
    """The candidate without the ranks of layers whose three parts exceed the memory or latency that the budget allows.

    Ranks add tensors and calls, so that the parts of a layer may need more memory or time than the whole layer. Where
    the parts exceed the memory limit and need more than the whole layer, the layer stays whole. Where latency exceeds
    its limit, layers that are faster whole stay whole, the largest gain first, until the limit is met.

    Args:
        cost: cost model of the original model.
        budget: the limits.
        parameters: the candidate.
        step: what kept channels are rounded to.
        fixed: layers that keep their ranks in any case.
    """
    limits = [limit for quantity in (MEMORY, LATENCY) if (limit := budget.limit(quantity)) is not None]
    if not limits or max(limit.violation(cost.cost(parameters, step)) for limit in limits) <= 0:
        return parameters
    parts = cost.layer_costs(parameters, step)
    whole = cost.layer_costs(CompressionParameters(parameters.ratios, {}), step)
    ranks = dict(parameters.ranks)
    memory, latency = budget.limit(MEMORY), budget.limit(LATENCY)
    if memory is not None:
        heavy = [name for name in ranks if MEMORY.of(parts[name]) > max(memory.most, MEMORY.of(whole[name]))]
        heavy = [name for name in heavy if name not in fixed]
        ranks = {name: pair for name, pair in ranks.items() if name not in heavy}
    if latency is not None:
        total = LATENCY.of(cost.cost(CompressionParameters(parameters.ratios, ranks), step))
        gains = {name: LATENCY.of(parts[name]) - LATENCY.of(whole[name]) for name in ranks if name not in fixed}
        for name, gain in sorted(gains.items(), key=lambda item: -item[1]):
            if total <= latency.most or gain <= 0:
                break
            total -= gain
            del ranks[name]
    return CompressionParameters(parameters.ratios, ranks)
