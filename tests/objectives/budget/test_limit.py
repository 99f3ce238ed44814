"""Budget forms against figures worked out by hand, and how far over a candidate is."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import BudgetError
from objectives.budget.budget import Limit
from objectives.cost.cost import Cost
from objectives.cost.quantities.standard import FLOPS, LATENCY, PARAMS, SIZE

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
    parsed = Limit.parse(FLOPS, value, RESNET50)
    assert parsed.most == limit
    assert parsed.text == str(value).strip()


@pytest.mark.parametrize(
    ("value", "most"),
    [
        ("2.5MB", 2_500_000),
        ("500 kB", 500_000),
        ("1gb", 10**9),
        ("1G", 10**9),
        ("25%", 10**9),
        ("4x", 10**9),
        (0.25, 10**9),
    ],
)
def test_bytes_may_be_written_as_such(value: float | str, most: float) -> None:
    assert Limit.parse(SIZE, value, 4 * 10**9).most == most


@pytest.mark.parametrize(
    ("value", "most"),
    [
        ("12ms", 12_000),
        ("800us", 800),
        ("0.5s", 500_000),
        ("0.5 S", 500_000),
        ("25%", 500_000),
        ("4x", 500_000),
        (0.25, 5e5),
    ],
)
def test_times_are_microseconds(value: float | str, most: float) -> None:
    assert Limit.parse(LATENCY, value, 2e6).most == most


@pytest.mark.parametrize("value", [12, "12", "12m", "5min", "ms"])
def test_times_need_a_unit(value: int | str) -> None:
    with pytest.raises(BudgetError) as caught:
        Limit.parse(LATENCY, value, 2e6)
    assert str(caught.value) == (
        "budget.latency: expected a fraction (0.25), a percentage (25%), a factor (4x), or microseconds (12ms, 800us,"
        f" 0.5s), received {value!r}"
    )


@pytest.mark.parametrize("value", ["5B", "1 B", "2.5MiB", "kB", "25%B"])
def test_other_forms_of_bytes_are_refused(value: str) -> None:
    with pytest.raises(BudgetError) as caught:
        Limit.parse(SIZE, value, 4 * 10**9)
    assert str(caught.value) == (
        "budget.size: expected a fraction (0.25), a percentage (25%), a factor (4x), or bytes (2.5MB, 500kB, 1G,"
        f" 2170000), received {value!r}"
    )


@given(st.integers(1, 10**13), st.integers(1, 1000))
def test_fraction_percentage_and_text_agree(original: int, thousandths: int) -> None:
    fraction = thousandths / 1000
    exact = float(Fraction(thousandths, 1000) * original)
    limits = [Limit.parse(FLOPS, value, original).most for value in (fraction, str(fraction), f"{thousandths / 10}%")]
    assert limits == [exact, exact, exact]


@pytest.mark.parametrize(
    "value", ["", "abc", "4y", "x4", "-25%", "0", "0%", "0x", 0, 0.0, -1, -0.5, 2.5, "2.5", True, "nan", "inf", "1,2G"]
    + ["403.6MB", "5b", float("nan"), float("inf"), "1e999", "25%%", "٣%"],
)  # fmt: skip
def test_other_forms_are_refused_with_the_accepted_ones(value: float | int | str) -> None:
    with pytest.raises(BudgetError) as caught:
        Limit.parse(FLOPS, value, RESNET50)
    assert str(caught.value) == (
        "budget.flops: expected a fraction (0.25), a percentage (25%), a factor (4x), or FLOPs (403.6M, 1.2G, 500k,"
        f" 613430000), received {value!r}"
    )


@pytest.mark.parametrize("value", [RESNET50 + 1, "2.6G", "0.5x", "101%", "3e9"])
def test_a_budget_above_the_original_is_refused(value: float | int | str) -> None:
    with pytest.raises(
        BudgetError, match="expected at most the original 2596060000 FLOPs, received .*nothing to compress"
    ):
        Limit.parse(FLOPS, value, RESNET50)


def test_a_model_without_flops_has_no_budget() -> None:
    with pytest.raises(BudgetError, match="expected a model of at least 1 FLOP, received 0"):
        Limit.parse(FLOPS, 0.5, 0)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_must_be_positive_and_finite(limit: float) -> None:
    with pytest.raises(BudgetError, match="expected a positive finite number of FLOPs, received"):
        Limit(FLOPS, limit, "by hand")


def test_violation_is_the_fraction_over_the_limit() -> None:
    limit = Limit.parse(FLOPS, 400, 1000)
    assert [limit.violation(Cost(flops, 9999, 9999)) for flops in (500, 400, 300, 0)] == [0.25, 0, -0.25, -1]
    assert Limit.parse(PARAMS, 400, 1000).violation(Cost(9999, 500, 9999)) == 0.25
    assert Limit.parse(SIZE, 400, 1000).violation(Cost(9999, 9999, 500)) == 0.25


def test_partway_is_half_the_way_in_factors() -> None:
    limit = Limit.parse(PARAMS, "25%", 1000)
    assert limit.partway(Cost(1, 1000, 1), 0.5) == Limit(PARAMS, 500.0, "0.5 of the way to the budget")
