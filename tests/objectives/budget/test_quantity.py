"""What may be limited, and how it reads."""

from configs.schema.run import BudgetConfig
from objectives.budget.quantity import FLOPS, LATENCY, QUANTITIES
from objectives.cost.cost import Cost


def test_figures_in_words() -> None:
    cost = Cost(1_500_000, 43_210, 2_500_000, 700_000, 1_234_567, 1234.56)
    assert [quantity.text(cost) for quantity in QUANTITIES.values()] == [
        "1.50 MFLOPs",
        "0.043 M parameters",
        "2.500 MB",
        "1234.6 kB of memory",
        "1.235 ms",
    ]
    figures = [quantity.of(cost) for quantity in QUANTITIES.values()]
    assert figures == [1_500_000, 43_210, 2_500_000, 1_234_567, 1234.56]
    assert (FLOPS.exact(cost), LATENCY.exact(cost)) == ("1500000", "1234.6")


def test_a_configuration_has_a_key_for_each() -> None:
    assert list(QUANTITIES) == list(BudgetConfig.model_fields)
