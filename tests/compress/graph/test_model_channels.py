"""The fingerprint that ties parameters to a model, by hand-counted channels of the residual test model."""

import pytest

from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.model_channels import ModelChannels, check_made_for
from compress.parameters import ChannelStep, CompressionParameters
from tests.compress.fixtures import models

GROUPS = {"conv1": 8, "b0.conv1": 5, "b1.conv1": 7, "add_1": 8}
LAYERS = {"b0.conv1": (8, 5), "b0.conv2": (5, 8), "b0.shortcut": (8, 8), "b1.conv1": (8, 7), "b1.conv2": (7, 8)}
PARAMETERS = CompressionParameters({"add_1": 0.5, "b1.conv1": 0.2}, {"b1.conv1": (3, 2)})


@pytest.fixture(scope="module")
def graph():
    return analyse(models.residual())


def test_channels_of_the_model(graph):
    assert ModelChannels.of(graph) == ModelChannels(GROUPS, LAYERS)


def test_decomposition_finds_what_pruning_leaves(graph):
    result = ModelChannels.at_stages(graph, PARAMETERS, ("prune", "decompose"))
    assert result.groups == GROUPS
    # 8 channels of add_1 become 4, 7 of b1.conv1 become 6.
    assert result.layers == {
        "b0.conv1": (8, 5),
        "b0.conv2": (5, 4),
        "b0.shortcut": (8, 4),
        "b1.conv1": (4, 6),
        "b1.conv2": (6, 4),
    }
    assert ModelChannels.at_stages(graph, PARAMETERS, ("prune", "decompose"), ChannelStep(8)).layers["b1.conv1"] == (
        8,
        7,
    )


def test_pruning_finds_what_decomposition_makes(graph):
    result = ModelChannels.at_stages(graph, PARAMETERS, ("decompose", "prune"))
    assert result == ModelChannels({**GROUPS, "b1.conv1_tucker_0": 3, "b1.conv1_tucker_1": 2}, LAYERS)


def test_a_group_by_the_name_that_decomposition_gives_it(graph):
    parameters = CompressionParameters({"b1.conv1_tucker_2": 0.2}, PARAMETERS.ranks)
    result = ModelChannels.at_stages(graph, parameters, ("decompose", "prune")).groups
    assert "b1.conv1" not in result and result["b1.conv1_tucker_2"] == 7


def test_the_same_model_and_an_unknown_one_are_accepted(graph):
    check_made_for(graph, ModelChannels.of(analyse(models.randomized(models.residual()))))
    check_made_for(graph, None)


@pytest.mark.parametrize(
    ("groups", "layers", "difference"),
    [
        ({"b1.conv1": 6}, {}, "group 'b1.conv1' has 7 channels here, 6 channels in the file"),
        ({"other": 4}, {}, "there is no group 'other' here, in the file it has 4 channels"),
        ({"b1.conv1": None}, {}, "group 'b1.conv1' has 7 channels here, the file does not list it"),
        ({}, {"b1.conv1": (8, 6)}, "layer 'b1.conv1' has 8 -> 7 channels here, 8 -> 6 channels in the file"),
        ({}, {"other": (1, 2)}, "there is no layer 'other' here, in the file it has 1 -> 2 channels"),
        (
            {"b1.conv1": 6, "other": 4},
            {"other": (1, 2)},
            "group 'b1.conv1' has 7 channels here, 6 channels in the file (and 2 more differences)",
        ),
    ],
)
def test_another_model_is_refused_with_the_difference(graph, groups, layers, difference):
    merged = {name: count for name, count in {**GROUPS, **groups}.items() if count}
    with pytest.raises(ParameterError) as caught:
        check_made_for(graph, ModelChannels(merged, {**LAYERS, **layers}))
    assert str(caught.value) == (
        f"expected the model that the parameters were made for, received another one: {difference}; "
        "use that model or its own parameters"
    )
