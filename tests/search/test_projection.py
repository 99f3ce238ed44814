"""Every proposal is brought under the budget, and close to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.channel_step import ChannelStep
from compress.errors import BudgetError
from compress.parameters import CompressionParameters
from objectives.budget import Budget
from search.projection import Projection
from search.space import SpaceSettings
from tests.search.nets import DECOMPOSE_FIRST, PRUNE_FIRST, PRUNE_ONLY, RECIPES, cost, flops_budget, space

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
    smallest, original = found.smallest().flops, flops(found, NONE)
    budget = flops_budget(float(draw(st.integers(smallest, original))), "drawn")
    size = len(found.dimensions)
    values = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    return found, budget, dict(zip(found.dimensions, values, strict=True))


@given(problems())
@settings(max_examples=60)
def test_projected_proposals_are_within_the_budget(problem):
    found, budget, wanted = problem
    assert flops(found, Projection(found, budget)(wanted)) <= budget.limits[0].most


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
    project = Projection(found, flops_budget(limit, text))
    # Equal preferences, and two uneven ones: every third wanted five times as much, then every second.
    for every in (1000, 3, 2):
        wanted = {name: 1.0 if index % every == 0 else 0.2 for index, name in enumerate(found.dimensions)}
        assert 0.99 * limit < flops(found, project(wanted)) <= limit


JOINT = [{"params": "30%"}, {"size": "30%"}, {"flops": "25%", "params": "60%"}, {"flops": "60%", "size": "25%"}]


@pytest.mark.parametrize("amounts", [*JOINT, {"flops": "25%", "params": "25%", "size": "25%"}])
@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY])
def test_every_limit_is_met_and_the_tightest_is_used(recipe, amounts):
    found = space("resnet50", recipe)
    budget = Budget.parse(amounts, found.cost.cost(NONE))
    wanted = {name: 1.0 if index % 3 == 0 else 0.2 for index, name in enumerate(found.dimensions)}
    # A grid step of a layer of the last stage alone is 2.4 % of the parameters.
    assert -0.03 < budget.violation(found.cost.cost(Projection(found, budget)(wanted))) <= 0


def test_a_limit_that_does_not_bind_changes_nothing():
    found = space("tiny")
    wanted = {name: 1.0 if index % 3 == 0 else 0.2 for index, name in enumerate(found.dimensions)}
    original = found.cost.cost(NONE)
    alone, joint = ({"flops": "25%"}, {"flops": "25%", "params": "100%", "size": "1x"})
    projected = [Projection(found, Budget.parse(amounts, original))(wanted) for amounts in (alone, joint)]
    assert projected[0] == projected[1]


def test_the_limit_that_cannot_be_met_is_named():
    found = space("tiny")
    budget = Budget.parse({"flops": "50%", "size": "0.1k"}, found.cost.cost(NONE))
    with pytest.raises(BudgetError, match=f"budget.size: expected at least {found.smallest().bytes} bytes, the small"):
        Projection(found, budget)(dict.fromkeys(found.dimensions, 0.5))


def test_a_budget_of_the_whole_model_changes_nothing():
    found = space("tiny")
    whole = flops_budget(float(flops(found, NONE)), "1.0")
    assert Projection(found, whole)(dict.fromkeys(found.dimensions, 0.3)).is_empty


def test_an_unreachable_budget_names_the_smallest_flops():
    found = space("tiny")
    smallest = found.smallest().flops
    wanted = dict.fromkeys(found.dimensions, 0.5)
    assert flops(found, Projection(found, flops_budget(float(smallest), "all"))(wanted)) == smallest
    with pytest.raises(BudgetError, match=f"at least {smallest} FLOPs.*received 1000 = 1000; raise the budget"):
        Projection(found, flops_budget(1000.0, "1000"))(wanted)


def test_the_preferred_group_keeps_more():
    found = space("tiny", PRUNE_ONLY)
    budget = flops_budget(0.4 * cost("tiny").cost(NONE).flops, "0.4")
    wanted = dict.fromkeys(found.dimensions, 0.2) | {"keep:conv2": 1.0}
    ratios = Projection(found, budget)(wanted).ratios
    assert ratios.get("conv2", 0.0) < min(ratios["add"], ratios["block.conv1"])
