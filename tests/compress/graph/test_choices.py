"""Choices per layer: what their patterns match, which one counts, and what a model cannot have."""

import pytest

from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.choices import UNPRUNED, WHOLE, Bounds, Choices, LayerChoice
from compress.parameters import DECOMPOSE, CompressionParameters
from compress.recipe import apply_parameters
from tests.search.fixtures.nets import model

HALF, FIXED = Bounds(0.0, 0.5), Bounds(0.25, 0.25)
GRAPH = analyse(model("tiny"))


def keep(pattern):
    return LayerChoice(pattern, UNPRUNED, (WHOLE, WHOLE))


def ratio(pattern, bounds=FIXED):
    return LayerChoice(pattern, bounds)


def ranks(pattern, bounds=FIXED):
    return LayerChoice(pattern, ranks=(bounds, bounds))


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ((), {}),
        # conv1 and block.conv2 are added, and so lose channels together: the group is called after the merge.
        ((ratio("conv1"),), {"add": FIXED}),
        ((ratio("block.*"),), {"add": FIXED, "block.conv1": FIXED}),
        ((ratio("*conv?", HALF), ratio("block.conv1")), {"add": HALF, "block.conv1": FIXED, "conv2": HALF}),
        ((ratio("block.conv1"), ratio("*", HALF)), {"add": HALF, "block.conv1": HALF, "conv2": HALF}),
        # What a later choice does not speak of stays.
        ((ratio("conv2"), ranks("*")), {"conv2": FIXED}),
        ((ratio("CONV2"),), {}),
    ],
)
def test_ratios_by_the_last_choice_that_matches(choices, expected):
    chosen = {group.name: Choices(choices).ratio(group) for group in GRAPH.groups}
    assert {name: bounds for name, bounds in chosen.items() if bounds} == expected


def test_ranks_by_the_last_choice_that_matches():
    choices = Choices((ranks("*", HALF), keep("block.conv?"), ranks("block.conv2"), ratio("conv2")))
    assert choices.ranks("block.conv1") == (WHOLE, WHOLE)
    assert choices.ranks("block.conv2") == (FIXED, FIXED) and choices.decomposes("block.conv2")
    assert choices.ranks("conv2") == (HALF, HALF)
    assert not choices.decomposes("block.conv1") and not choices.decomposes("conv2")


def test_a_name_with_brackets_matches_itself():
    assert LayerChoice("conv[1]").matches("conv[1]") and LayerChoice("conv[1]").matches("conv1")


def test_groups_of_a_decomposed_model_have_the_choices_of_their_layers():
    ranks_alone = CompressionParameters({}, {"conv2": (4, 6)})
    made = analyse(apply_parameters(model("tiny"), ranks_alone, (DECOMPOSE,)))
    chosen = {group.name: Choices((ratio("conv2"),)).ratio(group) for group in made.groups}
    assert [name for name, bounds in chosen.items() if bounds] == ["conv2_tucker_2"]


@pytest.mark.parametrize(
    ("bounds", "channels", "expected"),
    [
        (Bounds(0.1, 0.5), 30, (3, 15)),
        (Bounds(0.1, 0.5), 7, (1, 4)),
        (Bounds(0.3, 0.3), 10, (3, 3)),
        (Bounds(0.0, 1.0), 12, (1, 12)),
        (Bounds(4, 16), 12, (4, 12)),
        (Bounds(4, 16), 3, (3, 3)),
    ],
)
def test_ranks_of_so_many_channels(bounds, channels, expected):
    assert bounds.ranks(channels) == expected


@pytest.mark.parametrize(
    "choice",
    [
        keep("*"),
        keep("conv1"),
        keep("linear"),
        ratio("block.conv2"),
        ranks("*"),
        # Of all that match, these have as many channels; a bound above them binds nothing.
        ranks("conv2", Bounds(16, 16)),
        ranks("conv2", Bounds(2, 99)),
    ],
)
def test_choices_that_fit(choice):
    Choices((choice,)).check(GRAPH)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (keep("blok.conv*"), r"unknown layer or group 'blok.conv\*'; nearest: 'block.conv"),
        (keep("zzz"), "unknown layer or group 'zzz'; the model has"),
        (keep("batch_norm*"), r"'batch_norm\*': expected a layer that can be pruned or decomposed, .*Normalization\)"),
        (ratio("linear"), "'linear' has a ratio, but layer 'linear' cannot be pruned: "),
        (ranks("linear"), r"'linear' has a rank, but layer 'linear' \(Dense\) is not a convolution"),
        (ranks("conv1"), "'conv1' has a rank, but layer 'conv1' cannot be decomposed: "),
        (
            ranks("conv2", Bounds(17, 17)),
            "layer 'conv2': expected a rank of at most its 16 input channels, received 17",
        ),
    ],
)
def test_choices_that_a_model_cannot_have(choice, message):
    with pytest.raises(ParameterError, match=message):
        Choices((keep("conv1"), choice)).check(GRAPH)
