"""The preferences of a proposal: one number per dimension of the space, as a sampler suggests them."""

from collections.abc import Sequence

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution

LOWEST_PREFERENCE = 0.1
"""Preferences are relative: a group may be wanted at most ten times as much as another before projection."""

PREFERENCE = FloatDistribution(LOWEST_PREFERENCE, 1.0)
"""What every dimension is drawn from."""


def suggested(trial: optuna.Trial, dimensions: Sequence[str]) -> NDArray[np.float64]:
    """What the sampler wants of every dimension, (D,)."""
    return np.array([trial.suggest_float(name, PREFERENCE.low, PREFERENCE.high) for name in dimensions])
