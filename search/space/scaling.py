"""Preferences scaled until they just fit, many rows at once."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from objectives.budget.feasible import STEPS

Floats = NDArray[np.float64]
Fits = Callable[[Floats], NDArray[np.bool_]]
"""Whether each row of fractions (N, D) meets the budget."""

SMALLEST_SCALE = 1e-6
"""Scales are searched between it and its inverse; what is kept at the smallest is below any grid."""


def scaled_to_fit(fits: Fits, wanted: Floats, caps: Floats | float = 1.0) -> Floats:
    """The largest multiple of each row of preferences that fits, by bisection on the logarithm of the factor.

    Args:
        fits: the test; the smallest multiple is taken to pass it.
        wanted: positive preferences, (N, D).
        caps: the most of each fraction, broadcast to (N, D).
    """
    least = math.log(SMALLEST_SCALE)
    fitting, failing = np.full((len(wanted), 1), least), np.full((len(wanted), 1), -least)
    for _ in range(STEPS):
        middle = (fitting + failing) / 2
        fit = fits(np.minimum(wanted * np.exp(middle), caps))[:, None]
        fitting, failing = np.where(fit, middle, fitting), np.where(fit, failing, middle)
    return np.asarray(np.minimum(wanted * np.exp(fitting), caps))


def filled(fits: Fits, fractions: Floats, steps: Floats) -> Floats:
    """One grid step more of each fraction wherever that still fits, those nearest to their next grid point first.

    Args:
        fits: the test, which every row passes.
        fractions: what is wanted, (N, D).
        steps: grid step of every column, (D,).
    """
    missing = np.where(fractions < 1, -(fractions / steps) % 1, np.inf)
    rows = np.arange(len(fractions))
    for column in np.argsort(missing, axis=1, kind="stable").T:
        here = fractions[rows, column]
        raised = fractions.copy()
        raised[rows, column] = np.minimum(1.0, here + steps[column])
        fit = (here < 1) & fits(raised)
        fractions = np.where(fit[:, None], raised, fractions)
    return fractions
