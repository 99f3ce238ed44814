"""Parameters that name parts of decomposed layers, against models that are built."""

import pytest

from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.parameters import ChannelStep, CompressionParameters
from compress.recipe import apply_parameters
from compress.staged_parameters import completed, separated, without_parts
from objectives.cost.cost_model import CostModel
from tests.search.fixtures.nets import DECOMPOSE_FIRST, model

RANKS = CompressionParameters({}, {"block.conv1": (10, 7), "conv2": (9, 16)})
RATIOS = CompressionParameters(
    {"block.conv1_tucker_0": 0.3, "block.conv1_tucker_1": 0.5, "block.conv1_tucker_2": 0.25, "add": 0.5}, {}
)


def test_a_decomposed_layers_group_gets_back_its_name_and_parts_keep_theirs():
    result = completed(RANKS, RATIOS)
    assert result.ranks == RANKS.ranks
    assert result.ratios == {
        "block.conv1_tucker_0": 0.3,
        "block.conv1_tucker_1": 0.5,
        "block.conv1": 0.25,
        "add": 0.5,
    }


def test_ranks_that_follow_ratios_are_joined_with_them():
    ratios = CompressionParameters({"add": 0.5}, {})
    assert completed(ratios, RANKS) == CompressionParameters(ratios.ratios, RANKS.ranks)
    with pytest.raises(ParameterError, match="expected one ratio"):
        completed(ratios, CompressionParameters({"add": 0.25}, {}))


def test_both_stages_come_apart_again():
    assert separated(completed(RANKS, RATIOS), "prune") == RATIOS
    ratios = CompressionParameters({"add": 0.5}, {})
    assert separated(completed(ratios, RANKS), "decompose") == RANKS


def test_ratios_of_parts_become_ranks():
    # Of 10 and 7 inner channels 0.3 and 0.5 leave 7 and 4.
    result = without_parts(completed(RANKS, RATIOS))
    assert result == CompressionParameters({"block.conv1": 0.25, "add": 0.5}, {"block.conv1": (7, 4), "conv2": (9, 16)})
    assert without_parts(CompressionParameters(RATIOS.ratios, RANKS.ranks)) == result
    # Rounded up to multiples of 4: 8 of 10, 4 of 7.
    assert without_parts(completed(RANKS, RATIOS), ChannelStep(4)).ranks["block.conv1"] == (8, 4)


def test_the_cost_is_that_of_the_model_that_is_built():
    parameters = completed(RANKS, RATIOS)
    built = apply_parameters(model("tiny"), parameters, DECOMPOSE_FIRST)
    assert built.get_layer("block.conv1_tucker_1").filters == 4
    expected = CostModel(analyse(built)).cost(CompressionParameters.none())
    assert CostModel(analyse(model("tiny"))).cost(without_parts(parameters)) == expected
