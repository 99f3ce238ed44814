"""A FLOPs budget: read from the forms that a user writes, and compared with a candidate's FLOPs."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from compress.errors import BudgetError

_FORMS = "a fraction (0.25), a percentage (25%), a factor (4x), or FLOPs (403.6M, 1.2G, 500k, 613430000)"
_AMOUNT = re.compile(r"(?P<number>(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?)\s*(?P<unit>[%xkmg]?)", re.IGNORECASE | re.ASCII)
_MULTIPLES = {"k": 10**3, "m": 10**6, "g": 10**9}


@dataclass(frozen=True)
class FlopsBudget:
    """The most FLOPs that a compressed model may cost.

    Attributes:
        limit: floating point operations for one image, as `objectives.cost` counts them.
        text: the budget as the user wrote it, for tables and messages.

    Raises:
        BudgetError: if the limit is not a positive finite number.
    """

    limit: float
    text: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise BudgetError(f"budget: expected a positive finite number of FLOPs, received {self.limit!r}")

    @classmethod
    def parse(cls, value: float | int | str, original: int) -> Self:
        """Return the budget that `value` means for a model of `original` FLOPs.

        Accepted: a fraction 0 < f <= 1 of the original (0.25), a percentage ("25%"), a factor ("4x" is a quarter), and
        absolute FLOPs ("403.6M", "1.2G", "500k", "613430000", or a whole number above 1).

        Raises:
            BudgetError: if `value` has none of these forms, or leaves nothing to compress (above the original).
        """
        if original < 1:
            raise BudgetError(f"budget: expected a model of at least 1 FLOP, received {original}")
        limit = _flops(value, original)
        if limit is None or limit <= 0:
            raise BudgetError(f"budget.flops: expected {_FORMS}, received {value!r}")
        if limit > original:
            raise BudgetError(
                f"budget.flops: expected at most the original {original} FLOPs, received {value!r} ="
                f" {float(limit):.0f}; nothing to compress: give a smaller budget"
            )
        return cls(limit=float(limit), text=str(value).strip())

    def violation(self, flops: float) -> float:
        """Return how far `flops` is over the limit, as a fraction of it: 0.1 is 10 % over, <= 0 is feasible."""
        return flops / self.limit - 1

    def check_reachable(self, smallest: int) -> None:
        """Raise BudgetError if even the `smallest` FLOPs that the search space can reach are over the limit."""
        if self.violation(smallest) > 0:
            raise BudgetError(
                f"budget.flops: expected at least {smallest} FLOPs, the smallest that this search space reaches,"
                f" received {self.text} = {self.limit:.0f}; raise the budget or space.ratio_max"
            )


def _flops(value: float | int | str, original: int) -> Fraction | None:
    """FLOPs meant by `value`, exact in its decimal digits, or None where it has no accepted form."""
    match = None if isinstance(value, bool) else _AMOUNT.fullmatch(str(value).strip())
    if match is None:
        return None
    number, unit = Fraction(match["number"]), match["unit"].lower()
    if unit in _MULTIPLES:
        return number * _MULTIPLES[unit]
    if unit == "%":
        return number / 100 * original
    if unit == "x":
        return original / number if number else None
    if number <= 1:
        return number * original
    # 2.5 FLOPs is no budget: more likely 2.5x or 2.5 % was meant.
    return number if number.denominator == 1 else None
