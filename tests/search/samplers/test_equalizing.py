"""Preferences from a sweep: marginal losses are equal, and the budget is just met."""

import pytest

from compress.parameters import CompressionParameters
from search.samplers.sensitivity import Sensitivity
from search.samplers.starts import equalized
from search.space.projection import Projection
from search.space.space import LOWEST_PREFERENCE, SpaceSettings
from tests.search.fixtures.nets import PRUNE_ONLY, RECIPES, cost, flops_budget, space

FLOPS = cost("digits_resnet").cost(CompressionParameters.none()).flops
FINE = SpaceSettings(ratio_step=0.01)


def budget(share=0.6):
    return flops_budget(share * FLOPS, str(share))


def sensitivity(result, drops, otherwise=0.1):
    names = result.dimensions
    kept = {name: 0.5 if name.startswith("keep") else 0.3 for name in names}
    return Sensitivity({name: drops.get(name, otherwise) for name in names}, kept)


def flops(result, wanted):
    return result.cost.cost(result.decode(result.row(wanted)), result.settings.step).flops


def test_equal_losses_for_what_is_saved():
    """Of every group inside the bounds, the loss and the cost of one hundredth less are in one proportion."""
    result = space("digits_resnet", PRUNE_ONLY, FINE)
    drops = {name: 0.02 * (1 + index) for index, name in enumerate(result.dimensions)}
    wanted = equalized(sensitivity(result, drops), result, budget())
    inside = [name for name, keep in wanted.items() if LOWEST_PREFERENCE < keep < 1]
    assert len(inside) > 3
    rates = []
    for name in inside:
        saved = flops(result, {**wanted, name: 1.0}) - flops(result, {**wanted, name: 0.5})
        # The derivative of D ((1 - f) / 0.5)^2 by f, over that of the cost.
        rates.append(2 * drops[name] * (1 - wanted[name]) / 0.5**2 / (saved / 0.5))
    assert max(rates) < 1.1 * min(rates)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_budget_is_just_met(recipe):
    result = space("digits_resnet", recipe)
    wanted = equalized(sensitivity(result, {}), result, budget())
    assert set(wanted) == set(result.dimensions)
    assert all(LOWEST_PREFERENCE <= value <= 1 for value in wanted.values())
    assert 0.8 * budget().limits[0].most < flops(result, wanted) <= budget().limits[0].most
    projected = Projection(result, budget())(result.row(wanted)).parameters
    assert 0.93 * budget().limits[0].most < cost("digits_resnet").cost(projected).flops <= budget().limits[0].most


def test_what_the_model_minds_is_spared():
    result = space("digits_resnet", PRUNE_ONLY, FINE)
    name = result.dimensions[0]
    keeps = [equalized(sensitivity(result, {name: drop}), result, budget())[name] for drop in (-0.01, 0.1, 1.0)]
    assert keeps[0] == LOWEST_PREFERENCE
    assert keeps[0] < keeps[1] < keeps[2] < 1


def test_a_part_that_was_not_judged_counts_as_the_middle_one():
    result = space("digits_resnet", PRUNE_ONLY)
    whole = sensitivity(result, {})
    name = result.dimensions[2]
    part = Sensitivity({key: drop for key, drop in whole.drops.items() if key != name}, whole.kept)
    assert equalized(part, result, budget()) == equalized(whole, result, budget())


def test_no_drops_at_all():
    """Then all parts are as good as each other."""
    result = space("digits_resnet", PRUNE_ONLY)
    level = [equalized(sensitivity(result, {}, otherwise), result, budget()) for otherwise in (0.0, 0.1)]
    assert level[0] == pytest.approx(level[1])
