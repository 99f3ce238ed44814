"""Every proposal is brought under the budget, and close to it."""

from itertools import product

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import BudgetError
from compress.graph.analysis import analyse
from compress.parameters import ChannelStep, CompressionParameters
from objectives.budget.budget import Budget, Limit, drop_costly_ranks
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import FLOPS, MEMORY
from search.space.projection import Projection
from search.space.space import SearchSpace, SpaceSettings
from tests.search.fixtures.nets import (
    DECOMPOSE_FIRST,
    DECOMPOSE_ONLY,
    NETS,
    PRUNE_FIRST,
    PRUNE_ONLY,
    RECIPES,
    cost,
    flops_budget,
    space,
)

NONE = CompressionParameters.none()


def flops(result, parameters):
    return result.cost.cost(parameters, result.settings.step).flops


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
    result = space(name, draw(st.sampled_from(RECIPES)), grid)
    smallest, original = result.smallest().flops, flops(result, NONE)
    budget = flops_budget(float(draw(st.integers(smallest, original))), "drawn")
    size = len(result.dimensions)
    values = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    return result, budget, dict(zip(result.dimensions, values, strict=True))


@given(problems())
@settings(max_examples=60)
def test_projected_proposals_are_within_the_budget(problem):
    result, budget, wanted = problem
    assert flops(result, Projection(result, budget)(result.row(wanted)).parameters) <= budget.limits[0].most


@given(problems())
@settings(max_examples=20)
def test_a_projected_proposal_stays_where_it_is(problem):
    """It can't be scaled up: no preferences in its direction fit that keep more of everything."""
    result, budget, wanted = problem
    projected = Projection(result, budget)(result.row(wanted)).parameters
    again = Projection(result, budget)(result.row(result.encode(projected))).parameters
    assert flops(result, again) >= flops(result, projected)


@pytest.mark.parametrize(("limit", "text"), [(403.6e6, "403.6M"), (224.7e6, "224.7M")])
@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY])
def test_resnet50_comes_within_one_percent_of_the_published_budgets(recipe, limit, text):
    result = space("resnet50", recipe)
    project = Projection(result, flops_budget(limit, text))
    # Equal preferences, and two uneven ones: every third wanted five times as much, then every second.
    for every in (1000, 3, 2):
        wanted = {name: 1.0 if index % every == 0 else 0.2 for index, name in enumerate(result.dimensions)}
        assert 0.99 * limit < flops(result, project(result.row(wanted)).parameters) <= limit


JOINT = [{"params": "30%"}, {"size": "30%"}, {"flops": "25%", "params": "60%"}, {"flops": "60%", "size": "25%"}]


@pytest.mark.parametrize("amounts", [*JOINT, {"flops": "25%", "params": "25%", "size": "25%"}])
@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY])
def test_every_limit_is_met_and_the_tightest_is_used(recipe, amounts):
    result = space("resnet50", recipe)
    budget = Budget.parse(amounts, result.cost.cost(NONE))
    wanted = {name: 1.0 if index % 3 == 0 else 0.2 for index, name in enumerate(result.dimensions)}
    # A grid step of a layer of the last stage alone is 2.4 % of the parameters.
    assert -0.03 < budget.violation(result.cost.cost(Projection(result, budget)(result.row(wanted)).parameters)) <= 0


def test_a_limit_that_does_not_bind_changes_nothing():
    result = space("tiny")
    wanted = {name: 1.0 if index % 3 == 0 else 0.2 for index, name in enumerate(result.dimensions)}
    original = result.cost.cost(NONE)
    alone, joint = ({"flops": "25%"}, {"flops": "25%", "params": "100%", "size": "1x"})
    projected = [
        Projection(result, Budget.parse(amounts, original))(result.row(wanted)).parameters for amounts in (alone, joint)
    ]
    assert projected[0] == projected[1]


def test_the_limit_that_cannot_be_met_is_named():
    result = space("tiny")
    budget = Budget.parse({"flops": "50%", "size": "0.1k"}, result.cost.cost(NONE))
    with pytest.raises(BudgetError, match=f"budget.size: expected at least {result.smallest().bytes} bytes, the small"):
        Projection(result, budget)(result.row(dict.fromkeys(result.dimensions, 0.5)))


def test_a_budget_of_the_whole_model_changes_nothing():
    result = space("tiny")
    whole = flops_budget(float(flops(result, NONE)), "1.0")
    assert Projection(result, whole)(result.row(dict.fromkeys(result.dimensions, 0.3))).parameters == NONE


def test_an_unreachable_budget_names_the_smallest_flops():
    result = space("tiny")
    smallest = result.smallest().flops
    wanted = dict.fromkeys(result.dimensions, 0.5)
    assert (
        flops(result, Projection(result, flops_budget(float(smallest), "all"))(result.row(wanted)).parameters)
        == smallest
    )
    with pytest.raises(BudgetError, match=f"at least {smallest} FLOPs.*received 1000 = 1000; raise the budget"):
        Projection(result, flops_budget(1000.0, "1000"))(result.row(wanted))


def test_the_preferred_group_keeps_more():
    result = space("tiny", PRUNE_ONLY)
    budget = flops_budget(0.4 * cost("tiny").cost(NONE).flops, "0.4")
    wanted = dict.fromkeys(result.dimensions, 0.2) | {"keep:conv2": 1.0}
    ratios = Projection(result, budget)(result.row(wanted)).parameters.ratios
    assert ratios.get("conv2", 0.0) < min(ratios["add"], ratios["block.conv1"])


@st.composite
def memory_problems(draw):
    """A space, reachable limits of memory and of FLOPs, and preferences."""
    result = space(draw(st.sampled_from(NETS)), draw(st.sampled_from(RECIPES)))
    smallest, original = result.smallest(), result.cost.cost(NONE)
    limits = [Limit(MEMORY, float(draw(st.integers(smallest.memory, original.memory))), "drawn")]
    if draw(st.booleans()):
        limits.append(Limit(FLOPS, float(draw(st.integers(smallest.flops, original.flops))), "drawn"))
    size = len(result.dimensions)
    values = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    return result, Budget(tuple(limits)), dict(zip(result.dimensions, values, strict=True))


@given(memory_problems())
@settings(max_examples=60)
def test_proposals_meet_memory_or_it_cannot_be_met_with_the_other_limits(problem):
    result, budget, wanted = problem
    try:
        parameters = Projection(result, budget)(result.row(wanted)).parameters
    except BudgetError as error:
        assert len(budget.limits) == 2 and "within the other limits" in str(error)
    else:
        assert budget.violation(result.cost.cost(parameters, result.settings.step)) <= 0


@pytest.mark.parametrize("amounts", [{"memory": "40%"}, {"memory": "40%", "flops": "30%"}])
@pytest.mark.parametrize("name", ["mobilenetv1", "resnet50"])
def test_the_tightest_of_memory_and_flops_is_used(name, amounts):
    result = space(name)
    budget = Budget.parse(amounts, result.cost.cost(NONE))
    wanted = {name: 1.0 if index % 3 == 0 else 0.2 for index, name in enumerate(result.dimensions)}
    # A grid step of one group of ResNet50 is up to a fifth of this memory.
    assert -0.1 < budget.violation(result.cost.cost(Projection(result, budget)(result.row(wanted)).parameters)) <= 0


def test_memory_costs_only_the_groups_that_need_it():
    # The first pointwise convolution reads 16 x 16 x 32 and makes 16 x 16 x 64, all else is smaller: see by_layer.
    result = space("mobilenetv1")
    original = result.cost.cost(NONE).memory
    second = sorted(set(result.cost.memory.by_layer(*result.cost.candidate(NONE)).values()))[-2]
    assert second < original
    projected = Projection(result, Budget((Limit(MEMORY, float(second), "drawn"),)))(
        result.row(dict.fromkeys(result.dimensions, 0.5))
    ).parameters
    most = max(result.cost.memory.by_layer(*result.cost.candidate(NONE)).items(), key=lambda item: item[1])[0]
    assert not projected.ranks and 1 <= len(projected.ratios) <= 2
    node = result.graph.node(most)
    touched = {group.name for group in result.groups if set(group.layers) & set(projected.ratios)}
    held = {int(label) for labels in (*node.inputs, *node.outputs) for label in labels}
    assert all(
        held & {int(label) for block in result.graph.group(name).subgroups for label in block} for name in touched
    )


@pytest.mark.parametrize("name", ["chain", "tiny"])
@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, DECOMPOSE_ONLY])
def test_the_smallest_memory_is_that_of_all_candidates(name, recipe):
    result = space(name, recipe, SpaceSettings(ratio_max=0.5, ratio_step=0.5, rank_step=0.5))
    wanted = [
        dict(zip(result.dimensions, values, strict=True)) for values in product(*[(0.0, 1.0)] * len(result.dimensions))
    ]
    assert min(result.cost.cost(result.decode(result.row(one))).memory for one in wanted) == result.smallest().memory


def test_a_layer_whose_parts_need_more_memory_is_left_whole():
    # b reads 12 and makes 20 channels of 64 bytes, 2048 together; at ranks (12, 20) its parts need 12 + 12 + 20 more.
    inputs = keras.Input((4, 4, 6))
    x = keras.layers.Conv2D(12, 3, padding="same", name="a")(inputs)
    x = keras.layers.Conv2D(20, 3, padding="same", name="b")(x)
    model = CostModel(analyse(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))))
    parameters = CompressionParameters({}, {"a": (2, 2), "b": (8, 16)})
    # a: 6 + 2, 2 + 2, 2 + 12; b: 12 + 8, 8 + 16, 16 + 20, the most; whole 12 + 20.
    assert model.cost(parameters).memory == 64 * 36
    budget = Budget((Limit(MEMORY, 64.0 * 33, "33"),))
    assert drop_costly_ranks(model, budget, parameters).ranks == {"a": (2, 2)}
    assert drop_costly_ranks(model, Budget((Limit(MEMORY, 64.0 * 36, "36"),)), parameters) == parameters
    assert drop_costly_ranks(model, flops_budget(1.0, "1"), parameters) == parameters


def test_unreachable_memory_names_the_smallest():
    result = space("tiny")
    smallest = result.smallest().memory
    with pytest.raises(BudgetError, match=f"budget.memory: expected at least {smallest} bytes, the smallest that this"):
        Projection(result, Budget((Limit(MEMORY, smallest - 1.0, "1"),))).check_reachable()


def test_limits_that_only_cannot_be_met_together_are_refused():
    # a stays alive while b is called: the parts of b add to 12 + 40 channels, so that for memory b must stay whole.
    inputs = keras.Input((4, 4, 6))
    a = keras.layers.Conv2D(12, 3, padding="same", name="a")(inputs)
    b = keras.layers.Conv2D(40, 3, padding="same", name="b")(a)
    pooled = [keras.layers.GlobalAveragePooling2D()(x) for x in (b, a)]
    model = CostModel(analyse(keras.Model(inputs, keras.layers.Concatenate()(pooled))))
    result = SearchSpace(model, SpaceSettings(), DECOMPOSE_ONLY)
    smallest = result.smallest()
    parts = model.cost(result.decode(result.row(dict.fromkeys(result.dimensions, 0.0))))
    # Pooling b needs 40 values of its own.
    assert (smallest.flops, smallest.memory) == (parts.flops, 64 * (12 + 40) + 4 * 40)
    assert parts.memory == 64 * (12 + 4 + 40)
    flops, memory = (Limit(FLOPS, float(smallest.flops), "low"), Limit(MEMORY, float(smallest.memory), "low"))
    for limit in (flops, memory):
        Projection(result, Budget((limit,))).check_reachable()
    with pytest.raises(BudgetError, match="budget.flops: .* that this search space reaches within the other limits"):
        Projection(result, Budget((flops, memory))).check_reachable()
