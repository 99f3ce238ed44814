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


def drawn(found, seed, rows):
    return np.random.default_rng(seed).uniform(0, 1.2, (rows, len(found.dimensions)))


def named(found, row):
    return dict(zip(found.dimensions, row.tolist(), strict=True))


@given(st.sampled_from(NETS), st.sampled_from(RECIPES), st.integers(0, 1000))
@settings(max_examples=60)
def test_rows_are_decoded_as_one_by_one(net, recipe, seed):
    found = space(net, recipe)
    wanted = drawn(found, seed, 7)
    candidates = found.arrays.decode(wanted)
    for index, row in enumerate(wanted):
        parameters = found.decode(found.row(named(found, row)))
        assert found.arrays.parameters(candidates, index) == parameters
        kept, ranks = found.cost.candidate(parameters, found.settings.step)
        np.testing.assert_array_equal(candidates.kept[index], kept[0])
        np.testing.assert_array_equal(candidates.ranks[index], ranks[0])


def test_fractions_by_hand():
    """a: 10 -> 6 channels, b: 12 -> 6, c whole; ranks (2, 3) of b's 6 and 6 left; c stays whole."""
    found = space("chain")
    wanted = {"keep:a": 0.65, "keep:b": 0.5, "keep:c": 1.0}
    ranks = {"rank_in:b": 0.35, "rank_out:b": 0.5, "rank_in:c": 1.0, "rank_out:c": 1.0}
    candidates = found.arrays.decode(found.row(wanted | ranks)[None])
    expected = [[0.6, 0.5, 1.0, 2 / 6, 3 / 6, 1.0, 1.0]]
    np.testing.assert_allclose(found.arrays.fractions(candidates.kept, candidates.ranks), expected)
    first = space("chain", DECOMPOSE_FIRST)
    candidates = first.arrays.decode(first.row(wanted | ranks)[None])
    expected = [[0.6, 0.5, 1.0, 3 / 10, 6 / 12, 1.0, 1.0]]
    np.testing.assert_allclose(first.arrays.fractions(candidates.kept, candidates.ranks), expected)


@given(st.sampled_from(NETS), st.sampled_from(RECIPES), st.integers(0, 1000), st.floats(0.3, 0.9))
@settings(max_examples=30)
def test_many_proposals_are_projected_as_one_by_one(net, recipe, seed, share):
    found = space(net, recipe)
    wanted = np.minimum(drawn(found, seed, 5), 1)
    smallest, original = found.smallest().flops, found.cost.evaluate(*found.cost.candidate(NONE))[0, 0]
    project = Projection(found, flops_budget(smallest + share * (original - smallest), "drawn"))
    many = project.many(wanted)
    for row, fractions in zip(wanted, many, strict=True):
        kept, ranks = found.cost.candidate(project(found.row(named(found, row))).parameters, found.settings.step)
        np.testing.assert_array_equal(found.arrays.fractions(kept, ranks)[0], fractions)


def test_without_filling_up_nothing_is_above_what_filling_leaves():
    found = space("digits_resnet", PRUNE_ONLY)
    project = Projection(found, flops_budget(0.3 * found.cost.cost(NONE).flops, "30%"))
    wanted = np.minimum(drawn(found, 0, 20), 1)
    filled, plain = project.many(wanted), project.many(wanted, fill=False)
    assert np.all(plain <= filled) and np.any(plain < filled)


@given(st.sampled_from(NETS), st.integers(0, 1000))
@settings(max_examples=20)
def test_violations_of_many_are_those_of_one(net, seed):
    found = space(net, PRUNE_FIRST)
    budget = Budget.parse({"flops": "40%", "size": "50%", "memory": "60%"}, found.cost.cost(NONE))
    assert budget.limit(MEMORY) is not None
    wanted = drawn(found, seed, 6)
    candidates = found.arrays.decode(wanted)
    violations = budget.violations(found.cost, candidates.kept, candidates.ranks)
    for row, violation in zip(wanted, violations, strict=True):
        assert violation == budget.violation(found.cost.cost(found.decode(found.row(named(found, row)))))
