"""A limit of a budget: read from the forms that a user writes, and compared with a candidate's cost."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from compress.errors import BudgetError
from objectives.cost.cost import Cost
from objectives.cost.quantity import MULTIPLES, Quantity

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
        """The limit after a share of the way, in factors, from the original's figure to this one."""
        most = self.quantity.of(original) ** (1 - share) * self.most**share
        return Limit(self.quantity, most, f"{share:g} of the way to the budget")

    def missed(self, smallest: Cost, what: str, remedy: str) -> BudgetError:
        """The error for a budget below the smallest cost of something.

        Args:
            smallest: the smallest cost that can be reached.
            what: of what it is the smallest, to stand behind the figure.
            remedy: what to do.
        """
        name, unit = self.quantity.name, self.quantity.unit
        return BudgetError(
            f"budget.{name}: expected at least {self.quantity.exact(smallest)} {unit}, {what},"
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
