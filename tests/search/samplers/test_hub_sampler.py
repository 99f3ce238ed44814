"""Samplers of OptunaHub, from a registry in a folder; the real one is on GitHub."""

import sys

import optuna
import pytest

from compress.errors import ConfigError
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.samplers.kinds.optunahub import hub_sampler
from search.samplers.registry import samplers
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import PRUNE_ONLY, space
from tests.search.samplers.test_sampler_check import CONTEXT

SOURCE = """
import optuna
from optuna.samplers import RandomSampler


class Counting(optuna.samplers.BaseSampler):
    '''Keeps in the object how often it was asked.'''

    def __init__(self, start=0.2, seed=None):
        self.asked, self.start, self.seed = 0, start, seed

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        self.asked += 1
        return {}

    def sample_independent(self, study, trial, name, distribution):
        return min(1.0, self.start + 0.1 * self.asked)


class Unseeded(Counting):
    def __init__(self):
        super().__init__()
"""


@pytest.fixture
def registry(monkeypatch, tmp_path):
    """OptunaHub's cache, which it reads before it asks GitHub."""
    optunahub = pytest.importorskip("optunahub", reason="the extra samplers")
    monkeypatch.setenv("OPTUNAHUB_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "github.com" / "optuna" / "optunahub-registry" / "main" / "package" / "samplers"
    for name, source in (("one", f"{SOURCE}\n__all__ = ['Counting']\n"), ("two", SOURCE), ("none", "import optuna\n")):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(source)
    yield optunahub
    for name in [name for name in sys.modules if name.startswith("optunahub_registry.package.samplers.")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_package_with_its_options_and_the_seed(registry):
    result = hub_sampler("samplers/one", {"start": 0.3}, 7)
    assert (type(result).__name__, result.start, result.seed) == ("Counting", 0.3, 7)


def test_a_class_of_a_package(registry):
    assert type(hub_sampler("samplers/two:Unseeded", {}, 7)).__name__ == "Unseeded"
    with pytest.raises(ConfigError, match="expected a single sampler in .*, received Counting, Unseeded; give one as"):
        hub_sampler("samplers/two", {}, 7)
    with pytest.raises(ConfigError, match="expected the sampler Other in .*, received Counting, Unseeded"):
        hub_sampler("samplers/two:Other", {}, 7)
    with pytest.raises(ConfigError, match="expected a single sampler in .*, received none"):
        hub_sampler("samplers/none", {}, 7)
    for wrong in ("../x", "samplers/two:", "samplers/"):
        with pytest.raises(ConfigError, match="expected a package of OptunaHub such as .*, received 'optunahub:"):
            hub_sampler(wrong, {}, 7)


def test_one_object_proposes_all_trials(registry):
    """What it keeps in itself it would forget if it were made anew."""
    study, context = optuna.create_study(direction="maximize"), CONTEXT
    settings = DriverSettings(3, "optunahub:samplers/one", 4, True, sampler_options={"start": 0.3})
    Driver(study, space("tiny", PRUNE_ONLY), context.budget, settings).run(FakePool(2), Listener())
    first = [next(iter(trial.params.values())) for trial in study.trials]
    assert first == pytest.approx([0.4, 0.5, 0.6, 0.7])


def test_a_package_that_cannot_be_loaded(registry, monkeypatch):
    def unreachable(**given):
        raise OSError("Could not resolve host: github.com")

    monkeypatch.setattr("optunahub.hub._download_via_git", unreachable)
    monkeypatch.setattr("optunahub.hub._download_via_github_api", unreachable)
    with pytest.raises(ConfigError) as caught:
        samplers("optunahub:samplers/other", {}, CONTEXT)
    assert "expected the package 'samplers/other' of OptunaHub, received OSError: Could not resolve host" in str(
        caught.value
    )
    assert "github.com can be reached" in str(caught.value)


def test_without_optunahub(monkeypatch):
    monkeypatch.setitem(sys.modules, "optunahub", None)
    with pytest.raises(ConfigError, match=r"expected the package optunahub, .*tuckprune\[samplers\]"):
        samplers("optunahub:samplers/one", {}, CONTEXT)
