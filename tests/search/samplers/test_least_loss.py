"""The candidate that loses least by a sweep, against all candidates of small spaces."""

import itertools

import numpy as np
import pytest

from compress.parameters import CompressionParameters
from search.samplers.sensitivity import Loss, Sensitivity
from search.samplers.starts import least_loss
from search.space.projection import Projection
from search.space.space import LOWEST_PREFERENCE, SpaceSettings
from tests.search.fixtures.nets import DECOMPOSE_ONLY, PRUNE_ONLY, RECIPES, cost, flops_budget, space

COARSE = SpaceSettings(ratio_max=0.75, ratio_step=0.25, rank_step=0.25)


def budget(name, share=0.5):
    return flops_budget(share * cost(name).cost(CompressionParameters.none()).flops, str(share))


def sensitivity(result, drops=(), otherwise=0.1, kept=0.5, power=2.0):
    drops = dict.fromkeys(result.dimensions, otherwise) | dict(drops)
    return Sensitivity({name: Loss(drop, kept, power) for name, drop in drops.items()})


def projected(result, sensed, limit):
    return Projection(result, limit)(result.row(least_loss(sensed, result, limit)))


def loss_of(result, sensed, parameters):
    wanted = result.encode(parameters)
    return sensed.prior(result.dimensions).of(result.row(wanted)[None]).item()


def all_candidates(result, limit):
    """Every candidate of the grid that meets the budget."""
    rows = np.array(list(itertools.product((0.25, 0.5, 0.75, 1.0), repeat=len(result.dimensions))))
    return [one for one in map(result.decode, rows) if limit.violation(result.candidate(one).cost) <= 0]


@pytest.mark.parametrize("power", [2.0, 5.0])
@pytest.mark.parametrize(("recipe", "seed"), [(PRUNE_ONLY, 0), (PRUNE_ONLY, 1), (DECOMPOSE_ONLY, 2)])
def test_nothing_on_the_grid_loses_less(recipe, seed, power):
    result, limit = space("tiny", recipe, COARSE), budget("tiny")
    drops = dict(zip(result.dimensions, np.random.default_rng(seed).uniform(0.01, 1, 99), strict=False))
    sensed = sensitivity(result, drops, power=power)
    best = min(loss_of(result, sensed, parameters) for parameters in all_candidates(result, limit))
    assert loss_of(result, sensed, projected(result, sensed, limit).parameters) == pytest.approx(best)


def test_ranks_are_used_where_they_lose_nothing():
    """They save nothing until they are small, and nothing at all where channels are removed instead."""
    result = space("digits_resnet")
    ranks = {name: 0.001 for name in result.dimensions if name.startswith("rank")}
    small = projected(result, sensitivity(result, ranks, 0.2), budget("digits_resnet", 0.3))
    assert set(small.parameters.ranks) >= {layer.layer for layer in result.layers if "conv" in layer.layer}
    whole = projected(result, sensitivity(result, dict.fromkeys(ranks, 9.0), 0.001), budget("digits_resnet", 0.3))
    assert not whole.parameters.ranks


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_budget_is_just_met(recipe):
    result, limit = space("digits_resnet", recipe), budget("digits_resnet", 0.6)
    wanted = least_loss(sensitivity(result), result, limit)
    assert set(wanted) == set(result.dimensions)
    assert all(LOWEST_PREFERENCE <= value <= 1 for value in wanted.values())
    flops = Projection(result, limit)(result.row(wanted)).cost.flops
    assert 0.93 * limit.limits[0].most < flops <= limit.limits[0].most


def test_what_the_model_minds_is_spared():
    result, limit = space("digits_resnet", PRUNE_ONLY), budget("digits_resnet", 0.6)
    name = result.dimensions[0]
    keeps = [least_loss(sensitivity(result, {name: drop}), result, limit)[name] for drop in (0.001, 0.1, 1.0)]
    # 2 of 16 channels, a ratio of 0.9.
    assert keeps[0] == 0.125 < keeps[1] < keeps[2]


def test_a_part_that_was_not_judged_counts_as_the_middle_one():
    result, limit = space("digits_resnet", PRUNE_ONLY), budget("digits_resnet")
    whole = sensitivity(result)
    part = Sensitivity({name: loss for name, loss in whole.losses.items() if name != result.dimensions[2]})
    assert least_loss(part, result, limit) == least_loss(whole, result, limit)


def test_searches_of_one_sweep_begin_alike():
    result, limit = space("digits_resnet"), budget("digits_resnet")
    assert least_loss(sensitivity(result), result, limit) == least_loss(sensitivity(result), result, limit)
