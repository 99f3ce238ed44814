"""Bisection for the knob that just meets a budget."""

from collections.abc import Callable

STEPS = 24
"""Halvings of the interval: the knob is known to one part in sixteen million of it."""


def tightest(fits: Callable[[float], bool], *, fitting: float, failing: float, steps: int = STEPS) -> float:
    """The value nearest to ``failing`` that still fits, found between a value taken to fit and one taken not to.

    ``fits`` may be noisy or not quite monotone: what is returned was tested to fit, or is ``fitting`` itself.
    """
    for _ in range(steps):
        middle = (fitting + failing) / 2
        fitting, failing = (middle, failing) if fits(middle) else (fitting, middle)
    return fitting
