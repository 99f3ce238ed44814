"""What may be limited, and how it reads."""

from configs.schema import BudgetConfig
from objectives.cost import Cost
from objectives.quantity import FLOPS, PARAMS, QUANTITIES, SIZE


def test_figures_in_words() -> None:
    cost = Cost(1_500_000, 43_210, 2_500_000)
    assert [quantity.text(cost) for quantity in (FLOPS, PARAMS, SIZE)] == [
        "1.50 MFLOPs",
        "0.043 M parameters",
        "2.500 MB",
    ]
    assert [quantity.of(cost) for quantity in (FLOPS, PARAMS, SIZE)] == [1_500_000, 43_210, 2_500_000]


def test_a_configuration_has_a_key_for_each() -> None:
    assert list(QUANTITIES) == list(BudgetConfig.model_fields)
