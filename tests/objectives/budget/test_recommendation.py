"""Recommended values of all stages at once, and what they say of what stays whole."""

import keras
import pytest

from compress.graph.analysis import analyse
from compress.parameters import ChannelStep, CompressionParameters
from compress.pruning.criteria.geometric_median import GeometricMedian
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters
from objectives.budget.recommendation import recommendation
from objectives.budget.recommended import GlobalValues
from objectives.cost.cost_model import CostModel
from tests.search.fixtures.nets import DECOMPOSE_FIRST, DECOMPOSE_ONLY, PRUNE_FIRST, PRUNE_ONLY, trained_like

NONE = CompressionParameters.none()


def net():
    return trained_like((24, 32))


MEDIAN = PruningSettings(GeometricMedian(), step=ChannelStep(4))


@pytest.mark.parametrize(
    ("recipe", "pruning"),
    [
        *((recipe, PruningSettings()) for recipe in (PRUNE_FIRST, DECOMPOSE_FIRST, DECOMPOSE_ONLY)),
        *((recipe, MEDIAN) for recipe in (PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY)),
    ],
)
def test_the_values_make_the_model_whose_cost_is_told(recipe, pruning):
    result = recommendation(net(), GlobalValues(0.4, 0.1, pruning), recipe, pruning)
    made = apply_parameters(net(), result.parameters, recipe, pruning=pruning)
    assert CostModel(analyse(made)).cost(NONE) == result.after
    assert CostModel(analyse(net())).cost(NONE) == result.before
    assert result.after.flops < result.before.flops
    assert bool(result.groups) == ("prune" in recipe)
    assert bool(result.layers) == ("decompose" in recipe)


@pytest.mark.parametrize("rounding", ["up", "down", "nearest"])
def test_ratios_need_no_step_to_keep_the_same_channels(rounding):
    pruning = PruningSettings(step=ChannelStep(8, rounding))
    result = recommendation(net(), GlobalValues(0.4, 0.0, pruning), PRUNE_ONLY, pruning)
    for settings in (pruning, PruningSettings()):
        made = apply_parameters(net(), result.parameters, PRUNE_ONLY, pruning=settings)
        assert CostModel(analyse(made)).cost(NONE) == result.after
    assert {group.kept % 8 for group in result.groups} == {0}


def test_every_group_and_convolution_is_recommended_or_named():
    for recipe in (PRUNE_FIRST, PRUNE_ONLY):
        result = recommendation(net(), GlobalValues(0.02, -0.3), recipe)
        graph = analyse(net())
        every = [group.name for group in graph.groups] + [exclusion.name for exclusion in graph.excluded]
        assert sorted([row.name for row in result.groups] + [row.name for row in result.unpruned]) == sorted(every)
        assert result.unpruned and result.groups
        if recipe == PRUNE_FIRST:
            convolutions = [x.name for x in net().layers if isinstance(x, keras.layers.Conv2D)]
            named = [row.name for row in result.layers] + [row.name for row in result.undecomposed]
            assert sorted(named) == sorted(convolutions)
            assert "conv1" in {row.name for row in result.undecomposed}  # It reads the image.


def test_rows_hold_the_channels_before_and_after():
    result = recommendation(net(), GlobalValues(0.5), PRUNE_FIRST)
    pruned = apply_parameters(net(), CompressionParameters(result.parameters.ratios, {}))
    for row in result.groups:
        (layer,) = analyse(net()).group(row.name).layers[-1:]
        assert (row.kept, row.channels) == (
            pruned.get_layer(layer).filters,
            net().get_layer(layer).filters,
        )
    for row in result.layers:
        assert row.channels == pruned.get_layer(row.name).kernel.shape[2:]
        assert row.ranks == result.parameters.ranks[row.name]
