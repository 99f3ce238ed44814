"""Informed proposals: what they are before projection, and that projection can use them."""

import numpy as np
import pytest

from compress.parameters import CompressionParameters
from compress.pruning.criteria.nuclear_norm import NuclearNorm
from compress.pruning.settings import PruningSettings
from compress.recommend.recommend import RankRecommender
from objectives.budget.recommended import ratios_meeting
from search.samplers.starts import starts
from search.space.projection import Projection
from tests.search.fixtures.nets import (
    DECOMPOSE_ONLY,
    PRUNE_FIRST,
    PRUNE_ONLY,
    RECIPES,
    cost,
    flops_budget,
    model,
    space,
)

NAME = "tiny"


def budget(share=0.4):
    return flops_budget(share * cost(NAME).cost(CompressionParameters.none()).flops, str(share))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_start_can_be_projected(recipe):
    result = space(NAME, recipe)
    project = Projection(result, budget())
    wanted = starts(model(NAME), result, budget())
    assert all(set(preferences) == set(result.dimensions) for preferences in wanted.values())
    flops = [cost(NAME).cost(project(result.row(preferences)).parameters).flops for preferences in wanted.values()]
    assert all(0.9 * budget().limits[0].most < value <= budget().limits[0].most for value in flops)


def test_names():
    pruning = {"uniform pruning", "SLAMP"}
    both = {"uniform", "uniform pruning + VBMF", "SLAMP + VBMF", "uniform + VBMF"}
    assert set(starts(model(NAME), space(NAME, PRUNE_ONLY), budget())) == pruning
    assert set(starts(model(NAME), space(NAME, PRUNE_FIRST), budget())) == pruning | both
    assert set(starts(model(NAME), space(NAME, DECOMPOSE_ONLY), budget())) == {"uniform", "uniform + VBMF"}


def test_slamp_by_feature_maps_where_there_are_images():
    maps = NuclearNorm((np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype(np.float32),))
    result = space(NAME, PRUNE_ONLY)
    wanted = starts(model(NAME), result, budget(), maps=maps)
    assert list(wanted) == ["uniform pruning", "SLAMP", "SLAMP on feature maps"]
    ratios = ratios_meeting(model(NAME), budget(), PruningSettings(criterion=maps)).ratios
    assert wanted["SLAMP on feature maps"] == result.encode(CompressionParameters(ratios, {}))
    assert wanted["SLAMP on feature maps"] != wanted["SLAMP"]
    both = starts(model(NAME), space(NAME), budget(), maps=maps)
    assert "SLAMP on feature maps + VBMF" in both
    # Where they decide what is pruned in any case, SLAMP is by them already.
    assert "SLAMP on feature maps" not in starts(model(NAME), result, budget(), PruningSettings(criterion=maps), maps)


def test_slamp_is_slamp():
    result = space(NAME)
    wanted = starts(model(NAME), result, budget())["SLAMP"]
    ratios = ratios_meeting(model(NAME), budget()).ratios
    assert {name for name, ratio in ratios.items() if ratio > 0} <= {group.name for group in result.groups}
    for group in result.groups:
        assert wanted[f"keep:{group.name}"] == 1 - ratios.get(group.name, 0.0)
    assert all(wanted[name] == 1 for name in result.dimensions if name.startswith("rank"))


def test_uniform_pruning_is_one_ratio_that_just_meets_the_budget():
    result = space(NAME, PRUNE_ONLY)
    (keep,) = set(starts(model(NAME), result, budget())["uniform pruning"].values())
    groups = [group.name for group in result.groups]

    def flops(ratio):
        return cost(NAME).cost(CompressionParameters(dict.fromkeys(groups, ratio), {})).flops

    assert flops(1 - keep) <= budget().limits[0].most < flops(1 - keep - 1e-6)


def test_vbmf_starts_hold_vbmfs_ranks_and_leave_silent_layers_whole():
    result = space(NAME, DECOMPOSE_ONLY)
    wanted = starts(model(NAME), result, budget())["uniform + VBMF"]
    ranks = RankRecommender.of(model(NAME)).vbmf
    for layer in result.layers:
        rank_in, rank_out = ranks[layer.layer]
        assert wanted[f"rank_in:{layer.layer}"] == (rank_in / layer.in_channels if rank_in else 1.0)
        assert wanted[f"rank_out:{layer.layer}"] == (rank_out / layer.out_channels if rank_out else 1.0)
