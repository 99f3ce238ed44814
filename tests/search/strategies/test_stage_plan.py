"""How a recipe of two stages is divided, and divisions that cannot work."""

from dataclasses import replace

import pytest

from compress.errors import BudgetError
from compress.graph.analysis import analyse
from compress.graph.choices import Bounds, Choices, LayerChoice
from compress.parameters import CompressionParameters
from compress.pruning.settings import DEFAULT_PRUNING
from compress.staged_parameters import completed, without_parts
from objectives.budget.budget import Budget
from objectives.cost.cost_model import CostModel
from search.space.projection import Projection
from search.space.space import SearchSpace, SpaceSettings
from search.strategies.stage_plan import StagePlan
from search.study.trial_record import TrialRecord
from tests.objectives.cost import synthetic_latency as synthetic
from tests.search.fixtures.nets import DECOMPOSE_FIRST, PRUNE_FIRST, cost, flops_budget, model, space
from zoo.tasks.metric import Score

FIXED = Bounds(0.3, 0.3)
ORIGINAL = cost("tiny").cost(CompressionParameters.none())


def plan(recipe=PRUNE_FIRST, budget=0.25, share=0.5, settings=None):
    return StagePlan(space("tiny", recipe, settings), flops_budget(budget * ORIGINAL.flops, str(budget)), share)


def test_the_spaces_of_the_stages_are_those_of_ratios_and_of_ranks():
    first, second = plan().first_space, plan().second_space(model("tiny"))
    whole = space("tiny")
    assert first.dimensions + second.dimensions == whole.dimensions
    assert all(name.startswith("keep:") for name in first.dimensions)
    turned = plan(DECOMPOSE_FIRST)
    assert turned.first_space.dimensions == second.dimensions
    assert turned.second_space(model("tiny")).dimensions == first.dimensions


def test_a_decomposed_model_is_pruned_in_its_parts_as_well():
    ranks = CompressionParameters({}, {"conv2": (8, 12)})
    middle = plan(DECOMPOSE_FIRST).after_first(model("tiny"), ranks, DEFAULT_PRUNING)
    dimensions = plan(DECOMPOSE_FIRST).second_space(middle).dimensions
    assert {"keep:conv2_tucker_0", "keep:conv2_tucker_1", "keep:conv2_tucker_2"} < set(dimensions)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.5), (0.25, 0.5**0.5)])
def test_the_first_stage_goes_a_share_of_the_way_in_factors(share, expected):
    assert plan(share=share).target.limits[0].most == pytest.approx(expected * ORIGINAL.flops)


def test_memory_is_left_to_pruning():
    budget = Budget.parse({"flops": 0.25, "memory": 0.5}, ORIGINAL)
    pruned = StagePlan(space("tiny"), budget, 0.5).target
    assert {limit.quantity.name: limit.most for limit in pruned.limits} == pytest.approx(
        {"flops": 0.5 * ORIGINAL.flops, "memory": 0.5 * ORIGINAL.memory}
    )
    decomposed = StagePlan(space("tiny", DECOMPOSE_FIRST), budget, 0.5).target
    assert [limit.quantity.name for limit in decomposed.limits] == ["flops"]
    alone = Budget.parse({"memory": 0.5}, ORIGINAL)
    with pytest.raises(BudgetError, match="expected a limit besides memory where ranks come first"):
        _ = StagePlan(space("tiny", DECOMPOSE_FIRST), alone, 0.5).target


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST])
def test_a_division_that_works_is_accepted(recipe):
    plan(recipe).check(model("tiny"), DEFAULT_PRUNING)


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST])
def test_a_limit_of_latency_is_met_by_the_original_as_by_the_model_of_the_first_stage(recipe):
    table = synthetic.table("tiny")
    whole = SearchSpace(CostModel(analyse(model("tiny")), table), SpaceSettings(), recipe)
    budget = Budget.parse({"latency": 0.6}, whole.cost.cost(CompressionParameters.none()), table)
    plan = StagePlan(whole, budget, 0.5)
    plan.check(model("tiny"), DEFAULT_PRUNING)
    first = Projection(plan.first_space, plan.target)(
        plan.first_space.row(dict.fromkeys(plan.first_space.dimensions, 1.0))
    ).parameters
    second = plan.second_space(plan.after_first(model("tiny"), first, DEFAULT_PRUNING))
    values = Projection(second, budget)(second.row(dict.fromkeys(second.dimensions, 1.0))).parameters
    judged = second.cost.cost(values)
    assert judged.latency <= budget.limits[0].most
    assert whole.cost.cost(without_parts(completed(first, values))).latency == pytest.approx(judged.latency)


def test_a_first_stage_that_cannot_go_so_far_is_refused():
    with pytest.raises(BudgetError) as raised:
        plan(settings=SpaceSettings(ratio_max=0.1), budget=0.4, share=0.9).check(model("tiny"), DEFAULT_PRUNING)
    text = str(raised.value)
    assert text.startswith("stage 'prune', 1 of 2: budget.flops: expected at least ")
    assert text.endswith("; or lower search.staged.budget, now 0.9, or search joint")


def test_a_second_stage_that_cannot_go_so_far_is_refused():
    with pytest.raises(BudgetError) as raised:
        plan(settings=SpaceSettings(rank_step=1.0), budget=0.4, share=0.3).check(model("tiny"), DEFAULT_PRUNING)
    text = str(raised.value)
    assert text.startswith("stage 'decompose', 2 of 2: budget.flops: expected at least ")
    assert text.endswith("; or raise search.staged.budget, now 0.3, or search joint")


@pytest.mark.parametrize(("choice", "stage"), [({"ratio": FIXED}, "prune"), ({"ranks": (FIXED, FIXED)}, "decompose")])
def test_a_stage_that_choices_leave_nothing_to_search_is_refused(choice, stage):
    fixed = SpaceSettings(choices=Choices((LayerChoice("*", **choice),)))
    with pytest.raises(
        BudgetError, match=f"stage '{stage}': expected something to search, received none; search joint"
    ):
        plan(settings=fixed).check(model("tiny"), DEFAULT_PRUNING)


def record(number, parameters, accuracy):
    state = "failed" if accuracy is None else "complete"
    return TrialRecord(
        number,
        state,
        parameters,
        ORIGINAL,
        None if accuracy is None else Score({"accuracy": accuracy, "loss": 0.5}),
        1.0,
        None,
        None,
    )


def test_the_winner_is_the_best_trial_that_ranks_can_bring_to_the_budget():
    """Without ranks below all channels, only what pruning alone has brought there is left."""
    small = CompressionParameters({"block.conv1": 0.7, "add": 0.7, "conv2": 0.7}, {})
    large = CompressionParameters({"add": 0.1}, {})
    trials = [record(0, small, 0.7), record(1, large, 0.9), record(2, small, 0.8), record(3, small, None)]
    strict = plan(settings=SpaceSettings(rank_step=1.0), budget=0.4)
    assert strict.winner(model("tiny"), trials, DEFAULT_PRUNING) == trials[2]
    assert plan(budget=0.4).winner(model("tiny"), trials, DEFAULT_PRUNING) == trials[1]
    with pytest.raises(BudgetError, match="stage 'decompose', 2 of 2: .* or raise search.staged.budget"):
        strict.winner(model("tiny"), [replace(trials[1], number=5)], DEFAULT_PRUNING)
