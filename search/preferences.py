"""The preferences of a proposal: one number per dimension of the space, as an Optuna trial holds them."""

from collections.abc import Iterable, Sequence

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial

LOWEST_PREFERENCE = 0.1
"""Preferences are relative: a group may be wanted at most ten times as much as another before projection."""

PREFERENCE = FloatDistribution(LOWEST_PREFERENCE, 1.0)
"""What every dimension is drawn from."""


def suggested(trial: optuna.Trial, dimensions: Sequence[str]) -> dict[str, float]:
    """What the sampler wants of every dimension."""
    return {name: trial.suggest_float(name, PREFERENCE.low, PREFERENCE.high) for name in dimensions}


def share_names(trials: Iterable[FrozenTrial], dimensions: Sequence[str]) -> None:
    """Let trials of a study share the names and the distribution of their preferences.

    Read from a file, each has strings and objects of its own for every preference: for 141 of them, 40 KB.

    Args:
        trials: as the study keeps them, not copies; those with other parameters are left as they are.
        dimensions: names of the preferences.
    """
    shared: dict[str, BaseDistribution] = dict.fromkeys(dimensions, PREFERENCE)
    for trial in trials:
        if trial.distributions == shared:
            trial.params = {name: trial.params[name] for name in dimensions}
            trial.distributions = shared
