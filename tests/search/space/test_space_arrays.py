"""Arrays of candidates against the parameters and costs of one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.parameters import CompressionParameters
from objectives.budget.budget import Budget
from objectives.cost.quantities.standard import MEMORY
from search.space.projection import Projection
from tests.search.fixtures.nets import DECOMPOSE_FIRST, NETS, PRUNE_FIRST, PRUNE_ONLY, RECIPES, flops_budget, space

NONE = CompressionParameters.none()


def drawn(result, seed, rows):
    return np.random.default_rng(seed).uniform(0, 1.2, (rows, len(result.dimensions)))


def named(result, row):
    return dict(zip(result.dimensions, row.tolist(), strict=True))


@given(st.sampled_from(NETS), st.sampled_from(RECIPES), st.integers(0, 1000))
@settings(max_examples=60)
def test_rows_are_decoded_as_one_by_one(net, recipe, seed):
    result = space(net, recipe)
    wanted = drawn(result, seed, 7)
    candidates = result.arrays.decode(wanted)
    for index, row in enumerate(wanted):
        parameters = result.decode(result.row(named(result, row)))
        assert result.arrays.parameters(candidates, index) == parameters
        kept, ranks = result.cost.candidate(parameters, result.settings.step)
        np.testing.assert_array_equal(candidates.kept[index], kept[0])
        np.testing.assert_array_equal(candidates.ranks[index], ranks[0])


def test_fractions_by_hand():
    """a: 10 -> 6 channels, b: 12 -> 6, c whole; ranks (2, 3) of b's 6 and 6 left; c stays whole."""
    result = space("chain")
    wanted = {"keep:a": 0.65, "keep:b": 0.5, "keep:c": 1.0}
    ranks = {"rank_in:b": 0.35, "rank_out:b": 0.5, "rank_in:c": 1.0, "rank_out:c": 1.0}
    candidates = result.arrays.decode(result.row(wanted | ranks)[None])
    expected = [[0.6, 0.5, 1.0, 2 / 6, 3 / 6, 1.0, 1.0]]
    np.testing.assert_allclose(result.arrays.fractions(candidates.kept, candidates.ranks), expected)
    first = space("chain", DECOMPOSE_FIRST)
    candidates = first.arrays.decode(first.row(wanted | ranks)[None])
    expected = [[0.6, 0.5, 1.0, 3 / 10, 6 / 12, 1.0, 1.0]]
    np.testing.assert_allclose(first.arrays.fractions(candidates.kept, candidates.ranks), expected)


@given(st.sampled_from(NETS), st.sampled_from(RECIPES), st.integers(0, 1000), st.floats(0.3, 0.9))
@settings(max_examples=30)
def test_many_proposals_are_projected_as_one_by_one(net, recipe, seed, share):
    result = space(net, recipe)
    wanted = np.minimum(drawn(result, seed, 5), 1)
    smallest, original = result.smallest().flops, result.cost.evaluate(*result.cost.candidate(NONE))[0, 0]
    project = Projection(result, flops_budget(smallest + share * (original - smallest), "drawn"))
    many = project.many(wanted)
    for row, fractions in zip(wanted, many, strict=True):
        kept, ranks = result.cost.candidate(project(result.row(named(result, row))).parameters, result.settings.step)
        np.testing.assert_array_equal(result.arrays.fractions(kept, ranks)[0], fractions)


def test_without_filling_up_nothing_is_above_what_filling_leaves():
    result = space("digits_resnet", PRUNE_ONLY)
    project = Projection(result, flops_budget(0.3 * result.cost.cost(NONE).flops, "30%"))
    wanted = np.minimum(drawn(result, 0, 20), 1)
    filled, plain = project.many(wanted), project.many(wanted, fill=False)
    assert np.all(plain <= filled) and np.any(plain < filled)


@given(st.sampled_from(NETS), st.integers(0, 1000))
@settings(max_examples=20)
def test_violations_of_many_are_those_of_one(net, seed):
    result = space(net, PRUNE_FIRST)
    budget = Budget.parse({"flops": "40%", "size": "50%", "memory": "60%"}, result.cost.cost(NONE))
    assert budget.limit(MEMORY) is not None
    wanted = drawn(result, seed, 6)
    candidates = result.arrays.decode(wanted)
    violations = budget.violations(result.cost, candidates.kept, candidates.ranks)
    for row, violation in zip(wanted, violations, strict=True):
        assert violation == budget.violation(result.cost.cost(result.decode(result.row(named(result, row)))))
