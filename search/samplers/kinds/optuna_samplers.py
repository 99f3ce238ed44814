"""Optuna's own samplers."""

from collections.abc import Sequence
from functools import partial

from optuna import Study
from optuna.samplers import (
    CmaEsSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from search.samplers.sampler import Options, SamplerContext, Samplers, each_trial, sampler

_STARTUP, _POPULATION = 8, 16
"""Searches are short: models and generations begin earlier than by Optuna's defaults of 10 and 50."""


class _CmaEs(CmaEsSampler):
    """CMA-ES without Optuna's warning after every trial that it ignores constraints."""

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Do nothing: the sampler keeps its state in the study."""


@sampler("tpe", "tree-structured Parzen estimator", "those of optuna.samplers.TPESampler")
def tpe(context: SamplerContext, options: Options) -> Samplers:
    """Begins to learn after 8 trials."""
    return each_trial(partial(TPESampler, n_startup_trials=_STARTUP), context, options)


@sampler("gp", "Gaussian process over the preferences", "those of optuna.samplers.GPSampler", package="torch")
def gp(context: SamplerContext, options: Options) -> Samplers:
    """Begins to learn after 8 trials."""
    return each_trial(partial(GPSampler, n_startup_trials=_STARTUP), context, options)


@sampler("cmaes", "covariance matrix adaptation", "those of optuna.samplers.CmaEsSampler", package="cmaes")
def cmaes(context: SamplerContext, options: Options) -> Samplers:
    """CMA-ES, which keeps its distribution in attributes of the trials."""
    return each_trial(_CmaEs, context, options)


@sampler("nsgaii", "genetic algorithm NSGA-II", "those of optuna.samplers.NSGAIISampler")
def nsgaii(context: SamplerContext, options: Options) -> Samplers:
    """Generations of 16."""
    return each_trial(partial(NSGAIISampler, population_size=_POPULATION), context, options)


@sampler("nsgaiii", "genetic algorithm NSGA-III", "those of optuna.samplers.NSGAIIISampler")
def nsgaiii(context: SamplerContext, options: Options) -> Samplers:
    """Generations of 16."""
    return each_trial(partial(NSGAIIISampler, population_size=_POPULATION), context, options)


@sampler("random", "independent uniform preferences", "none")
def random(context: SamplerContext, options: Options) -> Samplers:
    """Learns nothing."""
    return each_trial(RandomSampler, context, options)
