import pytest

from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.parameters import ChannelStep, CompressionParameters
from compress.recipe import check_parameters
from tests.compress.fixtures import models

BOTH = ("prune", "decompose")
REVERSED = ("decompose", "prune")


def check(ratios, ranks, recipe=BOTH, multiple=1):
    check_parameters(analyse(models.residual()), CompressionParameters(ratios, ranks), recipe, ChannelStep(multiple))


@pytest.mark.parametrize(
    ("ratios", "ranks", "recipe", "multiple"),
    [
        ({}, {}, BOTH, 1),
        ({"add_1": 0.5, "b1.conv1": 0.2}, {"b1.conv1": (4, 6)}, BOTH, 1),  # 8 -> 4 and 7 -> 6 channels
        ({"add_1": 0.5, "b1.conv1": 0.2}, {"b1.conv1": (8, 7)}, REVERSED, 1),
        ({"add_1": 0.9}, {"b1.conv1": (4, 7)}, BOTH, 4),
        ({"b1.conv1_tucker_1": 0.3, "b1.conv1": 0.2}, {"b1.conv1": (8, 7)}, REVERSED, 1),
        ({"add_1": 0.9}, {}, ("prune",), 1),
        ({}, {"b1.conv1": (8, 7)}, ("decompose",), 1),
    ],
)
def test_parameters_that_fit(ratios, ranks, recipe, multiple):
    check(ratios, ranks, recipe, multiple)


@pytest.mark.parametrize(
    ("ratios", "ranks", "recipe", "message"),
    [
        ({"add_11": 0.5}, {}, BOTH, "unknown layer or group 'add_11'; nearest: 'add_1'"),
        ({"b1.conv1_tucker_1": 0.5}, {}, REVERSED, "unknown layer or group 'b1.conv1_tucker_1'; nearest: 'b1.conv1'"),
        ({"b1.conv1_tucker_1": 0.5}, {"b1.conv1": (8, 7)}, BOTH, "unknown layer or group 'b1.conv1_tucker_1'"),
        ({"b0.conv2": 0.5}, {}, BOTH, "layer 'b0.conv2' cannot be pruned alone: it belongs to the group 'add_1'"),
        ({}, {"conv1": (1, 1)}, BOTH, "layer 'conv1' cannot be decomposed"),
        ({}, {"b1.conv1": (9, 1)}, BOTH, "In Rank of 'b1.conv1': expected at most its 8 input channels, received 9"),
        (
            {"add_1": 0.5},
            {"b1.conv1": (5, 1)},
            BOTH,
            "In Rank of 'b1.conv1': expected at most the 4 channels that pruning leaves, received 5",
        ),
        (
            {"b1.conv1": 0.2},
            {"b1.conv1": (5, 7)},
            BOTH,
            "Out Rank of 'b1.conv1': expected at most the 6 channels that pruning leaves, received 7",
        ),
        (
            {},
            {"b1.conv1": (9, 1)},
            REVERSED,
            "In Rank of 'b1.conv1': expected at most its 8 input channels, received 9",
        ),
        ({"add_1": 0.5}, {}, ("decompose",), "expected no ratios under the recipe ['decompose'], received 1"),
        ({}, {"b1.conv1": (1, 1)}, ("prune",), "expected no ranks under the recipe ['prune'], received 1"),
    ],
)
def test_parameters_that_do_not_fit(ratios, ranks, recipe, message):
    with pytest.raises(ParameterError) as caught:
        check(ratios, ranks, recipe)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
