"""Samplers by configuration name: who proposes candidates."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from optuna import Study
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from compress.errors import ConfigError
from objectives.budget.budget import Budget
from search.samplers.hub import HUB, hub_sampler
from search.samplers.layered import LayeredSampler
from search.samplers.quasi_random import QuasiRandomSampler
from search.samplers.sensitivity import Sensitivity
from search.samplers.study_view import StudyView
from search.space.levels import Levels
from search.space.preferences import PREFERENCE
from search.space.space import SearchSpace

Options = Mapping[str, Any]
"""Arguments of a sampler's class, as a configuration gives them."""

Samplers = Callable[[int], BaseSampler]
"""The sampler of a trial, by the number of trials that were started before it."""

_STARTUP, _POPULATION = 8, 16
"""Searches are short: models and generations begin earlier than by Optuna's defaults of 10 and 50."""


@dataclass(frozen=True)
class SamplerContext:
    """What a sampler may be made for.

    Attributes:
        seed: of the run.
        space: what is searched.
        budget: what proposals meet.
        levels: of a front, the budgets that trials meet in its place.
        found: by a sweep, None without one.
    """

    seed: int
    space: SearchSpace
    budget: Budget
    levels: Levels | None = None
    found: Sensitivity | None = None


Kind = Callable[[SamplerContext, Options], Samplers]
"""Makes the samplers of a run; options that it cannot take are a TypeError or a ValueError."""


class _CmaEs(CmaEsSampler):
    """Optuna's, which warns after every trial that it does not mind constraints."""

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Nothing: all that it knows is in the study."""


def each_trial(make: Callable[..., BaseSampler], package: str | None = None) -> Kind:
    """A sampler made anew for every trial, seeded by the run and the trial.

    So a resumed search proposes what an undisturbed one would have, given the same finished trials. This is right for
    classes that keep all they know in the study: the trials themselves, and, for generations and CMA-ES's distribution,
    attributes of the trials.

    Args:
        make: takes ``seed`` and the options.
        package: what has to be installed for it.
    """

    def kind(context: SamplerContext, options: Options) -> Samplers:
        if package is not None and find_spec(package) is None:
            raise ConfigError(
                f"search.sampler: expected the package {package}, which this sampler needs, received an installation "
                "without it; install the extra: pip install 'tuckprune[samplers]'"
            )
        return lambda trial: make(**options, seed=(context.seed * 1_000_003 + trial) % 2**32)

    return kind


def _quasi_random(context: SamplerContext, options: Options) -> Samplers:
    """One seed for the whole run: it is one sequence, of which every trial has a point."""
    return lambda trial: QuasiRandomSampler(context.space.dimensions, seed=context.seed, **options)


def _layered(context: SamplerContext, options: Options) -> Samplers:
    """All that it learns is in the study; the landscape remembers what it has read of that."""
    measured = None if context.found is None else context.found.weights(context.space.dimensions)
    landscape = StudyView(context.space, context.budget, context.levels, measured)
    return lambda trial: LayeredSampler(landscape, PREFERENCE.low, context.seed, **options)


def _of_hub(reference: str, context: SamplerContext, options: Options) -> Samplers:
    """One object for the whole run, seeded by the run.

    Such packages may keep what they know in the object, which would be lost if it were made anew; so only where they
    keep nothing there does a resumed search propose what an undisturbed one would have.
    """
    made = hub_sampler(reference, options, context.seed)
    return lambda trial: made


SAMPLERS: Mapping[str, Kind] = MappingProxyType(
    {
        "layered": _layered,
        "tpe": each_trial(partial(TPESampler, n_startup_trials=_STARTUP)),
        "gp": each_trial(partial(GPSampler, n_startup_trials=_STARTUP), package="torch"),
        "cmaes": each_trial(_CmaEs, package="cmaes"),
        "nsgaii": each_trial(partial(NSGAIISampler, population_size=_POPULATION)),
        "nsgaiii": each_trial(partial(NSGAIIISampler, population_size=_POPULATION)),
        "qmc": _quasi_random,
        "random": each_trial(RandomSampler),
    }
)


def samplers(name: str, options: Options, context: SamplerContext) -> Samplers:
    """The samplers of a run: one of ``SAMPLERS``, or ``optunahub:<package>``.

    Raises:
        ConfigError: an unknown name, a package that is missing or cannot be loaded.
        TypeError, ValueError: options that it refuses; see `search.sampler_check.check_sampler`.
    """
    if not name.startswith(HUB) and name not in SAMPLERS:
        raise ConfigError(f"search.sampler: expected {', '.join(SAMPLERS)} or {HUB}<package>, received {name!r}")
    kind = partial(_of_hub, name.removeprefix(HUB)) if name.startswith(HUB) else SAMPLERS[name]
    found = kind(context, options)

    def quiet(trial: int) -> BaseSampler:
        with warnings.catch_warnings():
            # Whoever chose a sampler need not be told at every trial that Optuna may change it.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return found(trial)

    return quiet
