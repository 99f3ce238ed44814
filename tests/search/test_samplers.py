"""Proposals depend on the seed, the trial and the finished trials, and on nothing else."""

from typing import get_args

import optuna
import pytest

from configs.schema import SearchConfig
from search.samplers import SAMPLERS, sampler


def history(count):
    study = optuna.create_study(direction="maximize")
    distributions = {
        "a": optuna.distributions.FloatDistribution(0, 1),
        "b": optuna.distributions.FloatDistribution(0, 1),
    }
    for i in range(count):
        params = {"a": (i * 0.37) % 1, "b": (i * 0.61) % 1}
        study.add_trial(
            optuna.create_trial(params=params, distributions=distributions, value=params["a"] - params["b"])
        )
    return study


def proposal(name, seed, trial, count=20):
    study = history(count)
    study.sampler = sampler(name, seed, trial)
    asked = study.ask()
    return asked.suggest_float("a", 0, 1), asked.suggest_float("b", 0, 1)


@pytest.mark.parametrize("name", SAMPLERS)
def test_same_seed_and_history_same_proposal(name):
    assert proposal(name, 5, 20) == proposal(name, 5, 20)


@pytest.mark.parametrize("name", SAMPLERS)
def test_another_seed_or_trial_another_proposal(name):
    made = {proposal(name, seed, trial) for seed in (0, 1, 2**31 - 1) for trial in (20, 21)}
    assert len(made) == 6


def test_tpe_learns_from_the_history():
    """a is better the larger, b the smaller: proposals follow after the first eight trials, not before."""
    early = [proposal("tpe", seed, 0, count=2) for seed in range(20)]
    late = [proposal("tpe", seed, 30, count=30) for seed in range(20)]
    assert sum(a - b for a, b in late) / 20 > 0.4
    assert abs(sum(a - b for a, b in early) / 20) < 0.3


def test_configurations_name_exactly_these_samplers():
    assert set(get_args(SearchConfig.model_fields["sampler"].annotation)) == set(SAMPLERS)
