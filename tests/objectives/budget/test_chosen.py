"""Recommended values within choices per layer."""

import pytest

from compress.graph.analysis import analyse
from compress.graph.choices import UNPRUNED, WHOLE, Bounds, Choices, LayerChoice
from compress.parameters import CompressionParameters
from compress.recipe import compress_in_stages
from compress.recommend.recommend import recommend_ranks, recommend_ratios
from objectives.budget.recommended import BudgetValues, GlobalValues, stage_values
from objectives.cost.cost_model import CostModel
from tests.search.fixtures.nets import (
    DECOMPOSE_FIRST,
    DECOMPOSE_ONLY,
    PRUNE_FIRST,
    PRUNE_ONLY,
    flops_budget,
    trained_like,
)


def net():
    return trained_like((24, 32))


FLOPS = CostModel(analyse(net())).cost(CompressionParameters.none())
GROUPS = [group.name for group in analyse(net()).groups]
LAYERS = [layer.layer for layer in analyse(net()).decomposable]


def test_values_are_brought_to_their_bounds():
    plain = recommend_ratios(net(), 0.4)
    fixed, kept, free = GROUPS[0], GROUPS[1], GROUPS[2]
    choices = Choices((LayerChoice(fixed, Bounds(0.25, 0.25)), LayerChoice(kept, UNPRUNED)))
    values = GlobalValues(0.4, choices=choices).ratios(net())
    assert values.ratios[fixed] == 0.25 and kept not in values.ratios
    assert values.ratios.get(free) == plain.ratios.get(free)
    assert {exclusion.name: exclusion.reason for exclusion in values.left_whole}[kept] == "a choice keeps it"
    layer, whole, other = LAYERS[-3:]
    choices = Choices(
        (LayerChoice(layer, ranks=(Bounds(2, 2), Bounds(0.25, 0.25))), LayerChoice(whole, ranks=(WHOLE,) * 2))
    )
    ranks = GlobalValues(0.4, choices=choices).ranks(net())
    channels = {one.layer: one.out_channels for one in analyse(net()).decomposable}
    assert ranks.ranks[layer] == (2, channels[layer] // 4) and whole not in ranks.ranks
    assert ranks.ranks.get(other) == recommend_ranks(net()).ranks.get(other)
    assert {exclusion.name: exclusion.reason for exclusion in ranks.left_whole}[whole] == "a choice keeps it"


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY, DECOMPOSE_ONLY])
def test_the_budget_is_met_within_them(recipe):
    share = 0.4 if len(recipe) == 2 else 0.6
    budget = flops_budget(share * FLOPS.flops, str(share))
    last = LAYERS[-1]
    choices = Choices((LayerChoice(GROUPS[0], Bounds(0.0, 0.1)), LayerChoice(last, ranks=(Bounds(5, 5), Bounds(7, 7)))))
    values = stage_values(BudgetValues(recipe, budget, FLOPS, choices=choices))
    made = compress_in_stages(net(), values, recipe)
    assert 0.85 * budget.limits[0].most < CostModel(analyse(made.model)).cost(CompressionParameters.none()).flops
    assert CostModel(analyse(made.model)).cost(CompressionParameters.none()).flops <= budget.limits[0].most
    assert made.parameters.ratios.get(GROUPS[0], 0.0) <= 0.1
    assert made.parameters.ranks.get(last) == ((5, 7) if "decompose" in recipe else None)
