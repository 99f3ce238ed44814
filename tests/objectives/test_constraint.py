"""Budget forms against figures worked out by hand, and how far over a candidate is."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import BudgetError
from objectives.constraint import FlopsBudget

RESNET50 = 2_596_060_000


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        (0.25, 649_015_000),
        ("0.25", 649_015_000),
        ("25%", 649_015_000),
        ("25 %", 649_015_000),
        ("4x", 649_015_000),
        (" 4X ", 649_015_000),
        ("12.5%", 324_507_500),
        (0.35, 908_621_000),
        ("35%", 908_621_000),
        ("403.6M", 403_600_000),
        ("403.6 m", 403_600_000),
        ("1.2G", 1_200_000_000),
        ("500k", 500_000),
        ("613430000", 613_430_000),
        (613_430_000, 613_430_000),
        (6.1343e8, 613_430_000),
        ("1e6", 1_000_000),
        (1, RESNET50),
        (1.0, RESNET50),
        ("1x", RESNET50),
        ("100%", RESNET50),
        (RESNET50, RESNET50),
        (2, 2),
    ],
)
def test_a_form_means_these_flops(value: float | int | str, limit: float) -> None:
    budget = FlopsBudget.parse(value, RESNET50)
    assert budget.limit == limit
    assert budget.text == str(value).strip()


@given(st.integers(1, 10**13), st.integers(1, 1000))
def test_fraction_percentage_and_text_agree(original: int, thousandths: int) -> None:
    fraction = thousandths / 1000
    exact = float(Fraction(thousandths, 1000) * original)
    limits = [FlopsBudget.parse(value, original).limit for value in (fraction, str(fraction), f"{thousandths / 10}%")]
    assert limits == [exact, exact, exact]


@pytest.mark.parametrize(
    "value", ["", "abc", "4y", "x4", "-25%", "0", "0%", "0x", 0, 0.0, -1, -0.5, 2.5, "2.5", True, "nan", "inf", "1,2G"]
    + [float("nan"), float("inf"), "1e999", "25%%", "٣%"],
)  # fmt: skip
def test_other_forms_are_refused_with_the_accepted_ones(value: float | int | str) -> None:
    with pytest.raises(BudgetError) as caught:
        FlopsBudget.parse(value, RESNET50)
    assert str(caught.value) == (
        "budget.flops: expected a fraction (0.25), a percentage (25%), a factor (4x), or FLOPs (403.6M, 1.2G, 500k,"
        f" 613430000), received {value!r}"
    )


@pytest.mark.parametrize("value", [RESNET50 + 1, "2.6G", "0.5x", "101%", "3e9"])
def test_a_budget_above_the_original_is_refused(value: float | int | str) -> None:
    with pytest.raises(
        BudgetError, match="expected at most the original 2596060000 FLOPs, received .*nothing to compress"
    ):
        FlopsBudget.parse(value, RESNET50)


def test_a_model_without_flops_has_no_budget() -> None:
    with pytest.raises(BudgetError, match="expected a model of at least 1 FLOP, received 0"):
        FlopsBudget.parse(0.5, 0)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_must_be_positive_and_finite(limit: float) -> None:
    with pytest.raises(BudgetError, match="expected a positive finite number of FLOPs, received"):
        FlopsBudget(limit, "by hand")


def test_violation_is_the_fraction_over_the_limit() -> None:
    budget = FlopsBudget.parse(400, 1000)
    assert [budget.violation(flops) for flops in (500, 400, 300, 0)] == [0.25, 0, -0.25, -1]


def test_an_unreachable_budget_names_the_smallest_flops() -> None:
    budget = FlopsBudget.parse("25%", 1000)
    budget.check_reachable(250)
    with pytest.raises(BudgetError) as caught:
        budget.check_reachable(251)
    assert str(caught.value) == (
        "budget.flops: expected at least 251 FLOPs, the smallest that this search space reaches, received 25% = 250;"
        " raise the budget or space.ratio_max"
    )
