"""NPTK's recommended values, taken to a budget."""

import math

import keras
import numpy as np
import pytest

from compress.errors import BudgetError
from compress.graph.analysis import analyse
from compress.parameters import ChannelStep, CompressionParameters
from compress.pruning.settings import PruningSettings
from compress.recipe import compress_in_stages
from compress.recommend.recommend import recommend_ranks, recommend_ratios
from objectives.budget.budget import Budget
from objectives.budget.recommended import (
    BudgetValues,
    GlobalValues,
    ratios_meeting,
    stage_values,
    vbmf_ranks_meeting,
)
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import MEMORY
from tests.search.fixtures.nets import (
    DECOMPOSE_FIRST,
    DECOMPOSE_ONLY,
    PRUNE_FIRST,
    PRUNE_ONLY,
    flops_budget,
    trained_like,
)

NONE = CompressionParameters.none()


def net():
    return trained_like((24, 32))


def cost_of(model):
    return CostModel(analyse(model)).cost(NONE)


ORIGINAL = cost_of(net())


def flops(model):
    return cost_of(model).flops


def budget(share):
    return flops_budget(share * ORIGINAL.flops, str(share))


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY, DECOMPOSE_ONLY])
def test_budget_values_meet_the_budget_and_use_it(recipe):
    share = 0.25 if len(recipe) == 2 else 0.5
    values, reached = stage_values(BudgetValues(recipe, budget(share), ORIGINAL)), []
    made = compress_in_stages(
        net(), values, recipe, fine_tune=lambda model, stage: reached.append(flops(model) / ORIGINAL.flops)
    )
    if len(recipe) == 2:  # The first stage takes half the way, in factors: 0.25 is 0.5 times 0.5.
        assert 0.9 * math.sqrt(0.25) < reached[0] <= math.sqrt(0.25)
    assert 0.9 * budget(share).limits[0].most < flops(made.model) <= budget(share).limits[0].most
    assert bool(made.parameters.ratios) == ("prune" in recipe)
    assert bool(made.parameters.ranks) == ("decompose" in recipe)


def test_budget_values_keep_multiples():
    pruning = PruningSettings(step=ChannelStep(4))
    values = stage_values(BudgetValues(PRUNE_ONLY, budget(0.5), ORIGINAL, pruning))
    made = compress_in_stages(net(), values, PRUNE_ONLY, pruning=pruning)
    assert flops(made.model) <= budget(0.5).limits[0].most
    convolutions = [layer for layer in made.model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert {layer.filters % 4 for layer in convolutions} == {0}


@pytest.mark.parametrize("recipe", [PRUNE_ONLY, DECOMPOSE_ONLY, PRUNE_FIRST])
def test_a_budget_that_recommended_values_cannot_meet_is_refused(recipe):
    values = stage_values(BudgetValues(recipe, flops_budget(1000.0, "1k"), ORIGINAL))
    with pytest.raises(BudgetError, match=r"the fewest that recommended values reach, received 1k = 1000; raise the"):
        compress_in_stages(net(), values, recipe)


@pytest.mark.parametrize(
    ("recipe", "amounts"),
    [
        (PRUNE_FIRST, {"params": "35%"}),
        (PRUNE_FIRST, {"flops": "40%", "params": "35%"}),
        (DECOMPOSE_FIRST, {"size": "35%"}),
        (DECOMPOSE_FIRST, {"flops": "40%", "params": "35%"}),
        (PRUNE_ONLY, {"flops": "40%", "params": "35%"}),
    ],
)
def test_budget_values_meet_every_limit_and_use_one(recipe, amounts):
    whole = Budget.parse(amounts, ORIGINAL)
    made = compress_in_stages(net(), stage_values(BudgetValues(recipe, whole, ORIGINAL)), recipe)
    assert -0.1 < whole.violation(cost_of(made.model)) <= 0


@pytest.mark.parametrize(
    ("recipe", "amounts"),
    [
        (PRUNE_FIRST, {"memory": "60%"}),
        (DECOMPOSE_FIRST, {"flops": "30%", "memory": "70%"}),
        (PRUNE_ONLY, {"flops": "30%", "memory": "70%"}),
    ],
)
def test_budget_values_meet_memory(recipe, amounts):
    whole = Budget.parse(amounts, ORIGINAL)
    made = compress_in_stages(net(), stage_values(BudgetValues(recipe, whole, ORIGINAL)), recipe)
    assert -0.15 < whole.violation(cost_of(made.model)) <= 0


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_ONLY])
def test_memory_that_recommended_values_cannot_meet_is_named(recipe):
    whole = Budget.parse({"memory": "0.1kB"}, ORIGINAL)
    values = stage_values(BudgetValues(recipe, whole, ORIGINAL))
    with pytest.raises(BudgetError, match=r"budget.memory: expected at least \d+ bytes, the fewest .* 0.1kB = 100; "):
        compress_in_stages(net(), values, recipe)


def test_ranks_that_break_memory_are_left_out():
    inputs = keras.Input((4, 4, 24))
    a = keras.layers.Conv2D(24, 3, padding="same", name="a")(inputs)
    b = keras.layers.Conv2D(40, 3, padding="same", name="b")(a)
    model = keras.Model(inputs, keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(x) for x in (b, a)]))
    rng = np.random.default_rng(0)
    for layer in ("a", "b"):
        kernel = model.get_layer(layer).kernel
        left, right = rng.normal(size=(3 * 3 * 24, 4)), rng.normal(size=(4, kernel.shape[3]))
        kernel.assign((left @ right).reshape(kernel.shape) + rng.normal(0, 0.05, kernel.shape))
    whole = Budget.parse({"memory": "1x", "flops": "90%"}, cost_of(model))
    assert set(vbmf_ranks_meeting(model, whole.without(MEMORY)).ranks) == {"a", "b"}
    result = vbmf_ranks_meeting(model, whole)
    # a is alive while the parts of b are called.
    assert set(result.ranks) == {"a"}
    assert "its parts would break a limit of the budget" in {left.name: left.reason for left in result.left_whole}["b"]


def test_the_limit_that_recommended_values_cannot_meet_is_named():
    whole = Budget.parse({"flops": "50%", "params": 10}, ORIGINAL)
    values = stage_values(BudgetValues(PRUNE_ONLY, whole, ORIGINAL))
    with pytest.raises(BudgetError, match=r"budget.params: expected at least \d+ parameters, the fewest .* 10 = 10; "):
        compress_in_stages(net(), values, PRUNE_ONLY)


def test_slamp_ratios_are_the_smallest_that_meet_the_target():
    cost = CostModel(analyse(net()))
    target = budget(0.4)
    met = ratios_meeting(net(), target).ratios
    total = sum(group.channels for group in cost.graph.groups)
    removed = sum(group.channels * met.get(group.name, 0.0) for group in cost.graph.groups)
    assert cost.cost(CompressionParameters(met, {})).flops <= target.limits[0].most
    # Three channels fewer, removed in SLAMP's own order, are too few.
    fewer = recommend_ratios(net(), (removed - 3) / total).ratios
    assert cost.cost(CompressionParameters(fewer, {})).flops > target.limits[0].most


def test_vbmf_ranks_meet_the_target():
    cost = CostModel(analyse(net()))
    result = vbmf_ranks_meeting(net(), budget(0.4))
    assert (
        0.9 * budget(0.4).limits[0].most
        < cost.cost(CompressionParameters({}, result.ranks)).flops
        <= budget(0.4).limits[0].most
    )
    convolutions = {layer.name for layer in net().layers if isinstance(layer, keras.layers.Conv2D)}
    assert set(result.ranks) | {left.name for left in result.left_whole} == convolutions


def test_global_values_are_nptks_knobs_as_they_are():
    values = stage_values(GlobalValues(0.4, 0.1))
    assert values.ratios(net()) == recommend_ratios(net(), 0.4).ratios
    assert values.ranks(net()) == recommend_ranks(net(), 0.1).ranks


def test_what_is_left_whole_is_told_once_for_every_reason():
    told = []
    values = stage_values(GlobalValues(0.02, -0.3), told.append)
    assert values.ratios(net()) and values.ranks(net())
    assert told[0] == "not pruned: 'linear': the softmax of 'linear' mixes channels"
    assert told[1].startswith("not pruned: 'layer1.0.conv1', 'add'")
    assert told[1].endswith(": SLAMP removes none of its channels at this ratio")
    assert told[2] == "not decomposed: 'conv1': it reads the model's input, of only 1 channels"
