"""Optuna samplers by configuration name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import optuna
from optuna.samplers import BaseSampler

SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = MappingProxyType(
    {
        "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=8),
        "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
        "nsgaii": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=16),
    }
)


def sampler(name: str, seed: int, trial: int) -> BaseSampler:
    """The sampler for one trial of a run.

    It is seeded by the run and the trial, so that a resumed search proposes what an undisturbed one would have, given
    the same finished trials.
    """
    return SAMPLERS[name]((seed * 1_000_003 + trial) % 2**32)
