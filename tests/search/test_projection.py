"""Every proposal is brought under the budget, and close to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.channel_step import ChannelStep
from compress.errors import BudgetError
from compress.parameters import CompressionParameters
from objectives.constraint import FlopsBudget
from search.projection import Projection
from search.space import SpaceSettings
from tests.search.nets import DECOMPOSE_FIRST, PRUNE_FIRST, PRUNE_ONLY, RECIPES, cost, space

NONE = CompressionParameters.none()
NETS = ("chain", "tiny", "digits_resnet")
for _name in NETS:
    cost(_name)  # Built once here: a strategy must not draw from random generators of its own, as weights do.


def flops(found, parameters):
    return found.cost.cost(parameters, found.settings.step).flops


@st.composite
def problems(draw):
    """A space, a reachable budget, and preferences, those of starts (up to 1, possibly 0) included."""
    name = draw(st.sampled_from(NETS))
    grid = SpaceSettings(
        ratio_max=draw(st.sampled_from([0.5, 0.9])),
        ratio_step=draw(st.sampled_from([0.1, 0.3, 0.0005])),
        rank_step=draw(st.sampled_from([0.1, 0.4, 0.0005])),
        step=ChannelStep(draw(st.sampled_from([1, 4]))),
    )
    found = space(name, draw(st.sampled_from(RECIPES)), grid)
    smallest, original = found.smallest_flops(), flops(found, NONE)
    budget = FlopsBudget(float(draw(st.integers(smallest, original))), "drawn")
    size = len(found.dimensions)
    values = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    return found, budget, dict(zip(found.dimensions, values, strict=True))


@given(problems())
@settings(max_examples=60)
def test_projected_proposals_are_within_the_budget(problem):
    found, budget, wanted = problem
    assert flops(found, Projection(found, budget)(wanted)) <= budget.limit


@given(problems())
@settings(max_examples=20)
def test_a_projected_proposal_stays_where_it_is(problem):
    """It can't be scaled up: no preferences in its direction fit that keep more of everything."""
    found, budget, wanted = problem
    projected = Projection(found, budget)(wanted)
    again = Projection(found, budget)(found.encode(projected))
    assert flops(found, again) >= flops(found, projected)


@pytest.mark.parametrize(("limit", "text"), [(403.6e6, "403.6M"), (224.7e6, "224.7M")])
@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY])
def test_resnet50_comes_within_one_percent_of_the_published_budgets(recipe, limit, text):
    found = space("resnet50", recipe)
    project = Projection(found, FlopsBudget(limit, text))
    # Equal preferences, and two uneven ones: every third wanted five times as much, then every second.
    for every in (1000, 3, 2):
        wanted = {name: 1.0 if index % every == 0 else 0.2 for index, name in enumerate(found.dimensions)}
        assert 0.99 * limit < flops(found, project(wanted)) <= limit


def test_a_budget_of_the_whole_model_changes_nothing():
    found = space("tiny")
    whole = FlopsBudget(float(flops(found, NONE)), "1.0")
    assert Projection(found, whole)(dict.fromkeys(found.dimensions, 0.3)).is_empty


def test_an_unreachable_budget_names_the_smallest_flops():
    found = space("tiny")
    smallest = found.smallest_flops()
    wanted = dict.fromkeys(found.dimensions, 0.5)
    assert flops(found, Projection(found, FlopsBudget(float(smallest), "all"))(wanted)) == smallest
    with pytest.raises(BudgetError, match=f"at least {smallest} FLOPs.*received 1000 = 1000; raise the budget"):
        Projection(found, FlopsBudget(1000.0, "1000"))(wanted)


def test_the_preferred_group_keeps_more():
    found = space("tiny", PRUNE_ONLY)
    budget = FlopsBudget(0.4 * cost("tiny").cost(NONE).flops, "0.4")
    wanted = dict.fromkeys(found.dimensions, 0.2) | {"keep:conv2": 1.0}
    ratios = Projection(found, budget)(wanted).ratios
    assert ratios.get("conv2", 0.0) < min(ratios["add"], ratios["block.conv1"])
