"""The most that a method leaves within a budget, where only a pruning ratio can be told to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from objectives.budget.budget import bisect

Pruned = TypeVar("Pruned")

RATIOS = tuple(number / 50 for number in range(1, 50))
"""What a bisection begins with: near enough to each other that none of the few that fit is passed by."""


@dataclass(frozen=True)
class Attempt(Generic[Pruned]):
    """What came of a ratio.

    Attributes:
        ratio: that was asked for.
        fraction: of the original's FLOPs.
        pruned: whatever the method has made.
    """

    ratio: float
    fraction: float
    pruned: Pruned


def within(
    budget: float,
    prune: Callable[[float], Pruned],
    fraction: Callable[[Pruned], float],
    ratios: Iterable[float] = RATIOS,
    halvings: int = 5,
) -> Attempt[Pruned] | None:
    """The attempt that keeps the most FLOPs of all that keep at most this fraction; None where none does.

    The first of rising ratios that meets the budget is brought nearer to the one before by bisection. More need
    not mean fewer FLOPs: Torch-Pruning leaves a layer whole of which it would remove every channel.

    Args:
        budget: fraction of the original's FLOPs.
        prune: makes a model at a ratio in (0, 1).
        fraction: of the original's FLOPs that it has.
        ratios: to begin with.
        halvings: of the interval between two of them.
    """
    best: Attempt[Pruned] | None = None

    def fits(ratio: float) -> bool:
        nonlocal best
        pruned = prune(ratio)
        attempt = Attempt(ratio, fraction(pruned), pruned)
        if attempt.fraction > budget:
            return False
        if best is None or attempt.fraction > best.fraction:
            best = attempt
        return True

    before = 0.0
    for ratio in ratios:
        if fits(ratio):
            bisect(fits, fitting=ratio, failing=before, steps=halvings)
            break
        before = ratio
    return best
