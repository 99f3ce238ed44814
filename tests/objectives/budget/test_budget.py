"""Several limits at once, by hand."""

import pytest

from compress.errors import BudgetError
from objectives.budget.budget import Budget, Limit
from objectives.cost.cost import Cost
from objectives.cost.quantities.standard import FLOPS, MEMORY, PARAMS, SIZE

ORIGINAL = Cost(1000, 200, 800)


def test_amounts_are_of_the_original_and_in_a_fixed_order() -> None:
    budget = Budget.parse({"size": "1k", "flops": "25%", "params": 2e2}, Cost(1000, 200, 4000))
    assert budget.limits == (
        Limit(FLOPS, 250.0, "25%"),
        Limit(PARAMS, 200.0, "200.0"),
        Limit(SIZE, 1000.0, "1k"),
    )


@pytest.mark.parametrize(
    ("cost", "violation", "tightest"),
    [
        (Cost(500, 50, 9999), 0.0, "flops"),
        (Cost(400, 60, 0), -0.2, "flops"),
        (Cost(300, 90, 0), -0.1, "params"),
        (Cost(600, 150, 0), 0.5, "params"),
        (Cost(1000, 150, 0), 1.0, "flops"),
    ],
)
def test_the_violation_is_that_of_the_limit_that_is_broken_most(cost: Cost, violation: float, tightest: str) -> None:
    budget = Budget.parse({"flops": "50%", "params": 100}, ORIGINAL)
    assert budget.violation(cost) == pytest.approx(violation, abs=1e-12)
    assert budget.tightest(cost).quantity.name == tightest


def test_partway_takes_every_limit_there() -> None:
    halfway = Budget.parse({"flops": "25%", "params": "100%"}, ORIGINAL).partway(ORIGINAL, 0.5)
    assert [limit.most for limit in halfway.limits] == pytest.approx([500.0, 200.0])


def test_memory_is_limited_all_the_way() -> None:
    original = Cost(1000, 200, 800, memory=4000)
    halfway = Budget.parse({"flops": "25%", "memory": "25%"}, original).partway(original, 0.5)
    assert [limit.most for limit in halfway.limits] == pytest.approx([500.0, 1000.0])


def test_one_limit_and_the_others() -> None:
    budget = Budget.parse({"flops": "25%", "params": "50%"}, ORIGINAL)
    assert budget.limit(FLOPS) == Limit(FLOPS, 250.0, "25%") and budget.limit(MEMORY) is None
    assert budget.without(FLOPS) == Budget((Limit(PARAMS, 100.0, "50%"),))
    assert (
        budget.without(MEMORY) == budget and Budget.parse({"memory": "5"}, Cost(1, 1, 1, 1, 9)).without(MEMORY) is None
    )


def test_an_unreachable_budget_names_the_smallest() -> None:
    Budget.parse({"flops": "25%"}, ORIGINAL).check_reachable(Cost(250, 9999, 9999))
    with pytest.raises(BudgetError) as caught:
        Budget.parse({"flops": "25%", "params": "50%"}, ORIGINAL).check_reachable(Cost(251, 100, 9999))
    assert str(caught.value) == (
        "budget.flops: expected at least 251 FLOPs, the smallest that this search space reaches, received 25% = 250;"
        " raise the budget or space.ratio_max"
    )
    with pytest.raises(BudgetError) as caught:
        Budget.parse({"flops": "25%", "size": "0.4kB"}, ORIGINAL).check_reachable(Cost(251, 100, 404))
    assert str(caught.value) == (
        "budget.size: expected at least 404 bytes, the smallest that this search space reaches, received 0.4kB = 400;"
        " raise the budget or space.ratio_max"
    )


def test_only_limits_of_different_quantities_make_a_budget() -> None:
    limit = Limit(FLOPS, 10.0, "10")
    for limits in ((), (limit, limit)):
        with pytest.raises(BudgetError, match="at least one limit, each of another quantity"):
            Budget(limits)
    with pytest.raises(BudgetError, match="expected keys out of flops, params, size, memory, latency.*received watts"):
        Budget.parse({"watts": "5"}, ORIGINAL)
