"""Proposals depend on the seed, the trial and the finished trials, and on nothing else."""

import sys
import warnings

import numpy as np
import optuna
import pytest

from compress.errors import ConfigError
from compress.parameters import CompressionParameters
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.samplers.kinds.layered import RANDOM_TRIALS
from search.samplers.registry import sampler_kind, sampler_kinds, samplers
from search.samplers.sampler import SamplerContext
from search.space.space import LOWEST_PREFERENCE, PREFERENCE, suggested
from search.study.judgement import Judgement
from search.study.storage import open_study
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import PRUNE_ONLY, cost, flops_budget, space
from tests.search.samplers.sampler_names import ALL, FAST
from zoo.tasks.metric import Score

SPACE = space("tiny", PRUNE_ONLY)
BUDGET = flops_budget(0.5 * cost("tiny").cost(CompressionParameters.none()).flops, "0.5")


def made(name, seed, options=None):
    return samplers(name, options or {}, SamplerContext(seed, SPACE, BUDGET))


def history(count):
    """The first dimension is better the larger, the second the smaller."""
    study = optuna.create_study(direction="maximize")
    first, second, third = SPACE.dimensions
    for i in range(count):
        params = {first: 0.1 + (i * 0.37) % 0.9, second: 0.1 + (i * 0.61) % 0.9, third: 0.1 + (i * 0.21) % 0.9}
        distributions = dict.fromkeys(params, PREFERENCE)
        study.add_trial(
            optuna.create_trial(params=params, distributions=distributions, value=params[first] - params[second])
        )
    return study


def proposal(name, seed, trial, count=20, options=None):
    study = history(count)
    study.sampler = made(name, seed, options)(trial)
    return tuple(suggested(study.ask(), SPACE.dimensions))


@pytest.mark.parametrize("name", ALL)
def test_same_seed_and_history_same_proposal(name):
    assert proposal(name, 5, 20) == proposal(name, 5, 20)


@pytest.mark.parametrize("name", FAST)
def test_another_seed_another_proposal(name):
    assert len({proposal(name, seed, 20) for seed in (0, 1, 2**31 - 1)}) == 3


@pytest.mark.parametrize("name", [name for name in FAST if name.values[0] not in ("qmc", "layered")])
def test_another_trial_another_proposal(name):
    assert proposal(name, 0, 20) != proposal(name, 0, 21)


def test_tpe_learns_from_the_history():
    """Proposals follow after the first eight trials, not before; an option moves that."""
    early = [proposal("tpe", seed, 0, count=2) for seed in range(20)]
    late = [proposal("tpe", seed, 30, count=30) for seed in range(20)]
    later = [proposal("tpe", seed, 30, count=30, options={"n_startup_trials": 31}) for seed in range(20)]
    assert sum(a - b for a, b, _ in late) / 20 > 0.35
    assert abs(sum(a - b for a, b, _ in early) / 20) < 0.27
    assert abs(sum(a - b for a, b, _ in later) / 20) < 0.27


def test_the_samplers_and_the_error_that_lists_them():
    names = ("layered", "cmaes", "gp", "nsgaii", "nsgaiii", "random", "tpe", "qmc", "optunahub")
    assert sorted(sampler_kinds()) == sorted(names)
    assert all(kind.summary and kind.options for kind in sampler_kinds().values())
    for wrong in ("TPE", "tpe:", "tpe:x", "optunahub", "optunahub:", ""):
        with pytest.raises(ConfigError, match=r"search.sampler: expected one of layered, .*qmc.*; received ") as error:
            sampler_kind(wrong)
        assert all(name in str(error.value) for name in names) and str(error.value).endswith(repr(wrong))
    assert sampler_kind("optunahub:samplers/cma:Other").name == "optunahub"


def test_the_layered_sampler_needs_projection():
    context = SamplerContext(0, SPACE, BUDGET, projection=False)
    with pytest.raises(ConfigError, match="expected another sampler than layered where search.projection is false"):
        samplers("layered", {}, context)
    samplers("tpe", {}, context)


def searched(study, name, trials, *, stop_after=None, workers=1, projection=True):
    """A fake search in which channels of the first group are good, and those of the second bad."""

    def judge(parameters):
        worth = parameters.ratios.get("add", 0.0) - parameters.ratios.get("block.conv1", 0.0)
        return Judgement(Score({"accuracy": 0.5 + worth / 2, "loss": 1.0}), 0.1)

    pool = FakePool(workers, judge, stop_after)
    Driver(study, SPACE, BUDGET, DriverSettings(3, name, trials, projection)).run(pool, Listener())
    return [trial.params for trial in study.trials]


def test_layered_learns_which_layers_matter():
    """Channels of one group are bad, those of another good, which no preference says by itself."""
    study = optuna.create_study(direction="maximize")
    searched(study, "layered", 24, workers=2)
    worth = [trial.value for trial in study.trials]
    assert np.mean(worth[-8:]) > np.mean(worth[:RANDOM_TRIALS]) + 0.2


@pytest.mark.parametrize("name", FAST)
def test_an_interrupted_search_proposes_what_an_undisturbed_one_does(tmp_path, name):
    """Also in the midst of generations: nothing that a sampler needs is in the process.

    Some candidates repeat others, and no worker judges them: few judgements make many trials.
    """
    whole = searched(optuna.create_study(direction="maximize"), name, 40)
    for stop_after in (3, 5, 2):
        with pytest.raises(KeyboardInterrupt):
            searched(open_study(tmp_path, "run", "journal"), name, 40, stop_after=stop_after)
    assert searched(open_study(tmp_path, "run", "journal"), name, 40) == whole


def test_an_interrupted_gaussian_process_goes_on_alike(tmp_path):
    pytest.importorskip("torch", reason="the sampler gp needs it")
    whole = searched(optuna.create_study(direction="maximize"), "gp", 11)
    with pytest.raises(KeyboardInterrupt):
        searched(open_study(tmp_path, "run", "journal"), "gp", 11, stop_after=9)
    assert searched(open_study(tmp_path, "run", "journal"), "gp", 11) == whole


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("name", "key"), [("nsgaii", "NSGAIISampler"), ("nsgaiii", "NSGAIIISampler"), ("cmaes", "cma")]
)
def test_generations_go_on(name, key, workers):
    """And get better, though every trial has a sampler of its own."""
    if name == "cmaes":
        pytest.importorskip("cmaes")
    study = optuna.create_study(direction="maximize")
    searched(study, name, 64, workers=workers)
    generations = [trial.system_attrs.get(f"{key}:generation", 0) for trial in study.trials]
    assert generations == sorted(generations)
    assert max(generations) >= 3
    worth = [trial.value for trial in study.trials]
    assert np.mean(worth[-16:]) > np.mean(worth[:16]) + 0.1


@pytest.mark.parametrize("name", [name for name in FAST if name.values[0] != "layered"])
def test_infeasible_trials_stop_no_sampler(name):
    """Without projection; every second proposal or so breaks this budget."""
    study = optuna.create_study(direction="maximize")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        searched(study, name, 48, projection=False)
    states = [trial.state.name for trial in study.trials]
    assert 2 <= states.count("PRUNED") <= 46
    # Children of genetic algorithms may equal a parent.
    assert len({tuple(trial.params.values()) for trial in study.trials}) >= 40


def test_quasi_random_trials_fill_the_space_evenly():
    """Of 32 scrambled Sobol points, each 32nd of each dimension has one; starts and interruptions take none away."""
    points = np.array([list(params.values()) for params in searched(optuna.create_study(), "qmc", 32)])
    cells = np.floor((points - LOWEST_PREFERENCE) / (1 - LOWEST_PREFERENCE) * 32).astype(int)
    assert (np.sort(cells, axis=0) == np.arange(32)[:, None]).all()


@pytest.mark.parametrize(("name", "package"), [("gp", "torch"), ("cmaes", "cmaes")])
def test_a_missing_package_is_named(monkeypatch, name, package):
    monkeypatch.setattr("search.samplers.registry.find_spec", lambda wanted: None if wanted == package else sys)
    with pytest.raises(ConfigError, match=rf"expected the package {package}, .*tuckprune\[samplers\]"):
        made(name, 0)


def test_an_unknown_name():
    with pytest.raises(ConfigError, match="expected one of layered, tpe, .*; received 'TPE'"):
        made("TPE", 0)
