"""Samplers that cannot propose are refused before anything runs."""

import pytest

from compress.errors import ConfigError
from compress.parameters import CompressionParameters
from search.samplers.check import check_sampler
from search.samplers.sampler import SamplerContext
from tests.search.fixtures.nets import cost, flops_budget, space
from tests.search.fixtures.runs import refused, written
from tests.search.samplers.sampler_names import ALL

FLOPS = cost("tiny").cost(CompressionParameters.none()).flops
CONTEXT = SamplerContext(0, space("tiny"), flops_budget(0.5 * FLOPS, "0.5"))


@pytest.mark.parametrize("name", ALL)
def test_every_sampler_proposes(name):
    check_sampler(name, {}, CONTEXT)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("tpe", {"n_startup": 3}, "unexpected keyword argument 'n_startup'"),
        ("tpe", {"seed": 3}, "'seed'"),
        ("tpe", {"n_ei_candidates": "many"}, ""),
        ("nsgaii", {"population_size": 1}, "greater than or equal to 2"),
        ("qmc", {"qmc_type": "latin"}, "expected qmc_type sobol or halton, received 'latin'"),
        ("qmc", {"scrambled": True}, "unexpected keyword argument 'scrambled'"),
    ],
)
def test_options_that_a_sampler_refuses(name, options, said):
    with pytest.raises(ConfigError) as caught:
        check_sampler(name, options, CONTEXT)
    line = str(caught.value)
    assert line.startswith(f"search.sampler: expected {name} with options {options} to propose values of 9 dimensions")
    assert said in line
    assert line.endswith("change search.sampler")


def test_a_sampler_of_one_value_makes_no_front():
    pytest.importorskip("cmaes", reason="the sampler cmaes needs it")
    with pytest.raises(ConfigError, match="expected cmaes .* multi-objective"):
        check_sampler("cmaes", {}, CONTEXT, front=True)


@pytest.mark.parametrize("name", [name for name in ALL if name.values[0] != "cmaes"])
def test_the_others_make_one(name):
    check_sampler(name, {}, CONTEXT, front=True)


def test_options_are_taken():
    check_sampler("tpe", {"n_startup_trials": 3, "multivariate": False}, CONTEXT)
    check_sampler("qmc", {"qmc_type": "halton", "scramble": False}, CONTEXT)


def test_a_search_is_refused_before_it_writes(tuckprune, home):
    section = {"trials": 2, "workers": 1, "sampler": {"name": "nsgaii", "options": {"population_size": 1}}}
    line = refused(tuckprune, home, "search", written(home, search=section))
    assert "search.sampler: expected nsgaii with options {'population_size': 1}" in line
