"""Layers that no output of a model reads: Keras does not keep them, and no cost may count them."""

import keras
import pytest
from keras import layers

from compress.cloning.walk import as_functional
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from tests.compress.fixtures.models import conv, head, images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs


def backbone():
    """Three outputs: after 8, 16 and 32 channels."""
    inputs = keras.Input((6, 6, 3))
    a = conv(inputs, "a", 8)
    b = conv(a, "b", 16)
    return keras.Model(inputs, [a, b, conv(b, "c", 32)], name="backbone")


def one_output_used():
    inputs = keras.Input((6, 6, 3))
    return keras.Model(inputs, head(backbone()(inputs)[1]))


def unused_in_the_middle():
    inputs = keras.Input((6, 6, 3))
    first = keras.Model(inputs, backbone()(inputs)[::2], name="first")
    outer = keras.Input((6, 6, 3))
    return keras.Model(outer, head(first(outer)[0]))


def used_twice():
    inputs = keras.Input((6, 6, 3))
    shared = backbone()
    x = layers.Concatenate()([shared(inputs)[0], shared(conv(inputs, "before", 3))[1]])
    return keras.Model(inputs, head(conv(x, "after", 6)))


def call_unused():
    """A shared convolution, of whose two calls one is read by no output."""
    inputs = keras.Input((6, 6, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="b")
    x = shared(conv(inputs, "a", 3))
    nested = keras.Model(inputs, [x, shared(x)], name="nested")
    outer = keras.Input((6, 6, 3))
    return keras.Model(outer, head(conv(nested(outer)[0], "after", 6)))


def input_unused():
    first, second = keras.Input((6, 6, 3)), keras.Input((6, 6, 3))
    nested = keras.Model([first, second], [conv(first, "a", 8), conv(second, "b", 8)], name="nested")
    outer = [keras.Input((6, 6, 3)), keras.Input((6, 6, 3))]
    return keras.Model(outer, head(conv(nested(outer)[0], "after", 6)))


def branch_of_a_flat_model():
    inputs = keras.Input((6, 6, 3))
    x = conv(inputs, "a", 8)
    layers.Dense(7, name="unused")(conv(x, "unused_too", 5))
    return keras.Model(inputs, head(conv(x, "b", 16)))


def part_of_a_flat_model():
    whole = backbone()
    return keras.Model(whole.inputs[0], head(whole.get_layer("b").output))


def output_is_an_input():
    inputs = keras.Input((6, 6, 3))
    nested = keras.Model(inputs, [inputs, conv(inputs, "unused", 8)], name="nested")
    outer = keras.Input((6, 6, 3))
    return keras.Model(outer, head(conv(conv(nested(outer)[0], "a", 8), "b", 8)))


def part_of_a_split():
    inputs = keras.Input((6, 6, 3))
    x = keras.ops.split(conv(inputs, "a", 8), 2, axis=-1)
    return keras.Model(inputs, head(conv(x[0], "b", 6)))


def sequence_cut_short():
    sequence = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(8, 3, name="a"), layers.Conv2D(6, 3, name="b")])
    nested = keras.Model(sequence.inputs, [layer.output for layer in sequence.layers], name="nested")
    outer = keras.Input((6, 6, 3))
    return keras.Model(outer, head(nested(outer)[0]))


MODELS = {
    one_output_used: {"a", "b", "linear"},
    unused_in_the_middle: {"a", "linear"},
    used_twice: {"a", "b", "before", "after", "linear"},
    call_unused: {"a", "b", "after", "linear"},
    input_unused: {"a", "after", "linear"},
    branch_of_a_flat_model: {"a", "b", "linear"},
    part_of_a_flat_model: {"a", "b", "linear"},
    output_is_an_input: {"a", "b", "linear"},
    part_of_a_split: {"a", "b", "linear"},
    sequence_cut_short: {"a", "linear"},
}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_input_that_nothing_reads_costs_nothing(place):
    used = [keras.Input((6, 6, 3)), keras.Input((6, 6, 3))]
    outputs = head(conv(conv(layers.Add()(used), "a", 8), "b", 6))
    unread = keras.Input((6, 6, 5), name="unread")
    graph = analyse(keras.Model([*used[:place], unread, *used[place:]], outputs))
    with_it, without = CostModel(graph), CostModel(analyse(keras.Model(used, outputs)))
    whole, half = CompressionParameters.none(), CompressionParameters({"a": 0.5}, {"b": (2, 2)})
    for parameters in (whole, half):
        assert with_it.cost(parameters) == without.cost(parameters)
        costs = with_it.layer_costs(parameters)
        assert costs.pop("unread") == Cost(0, 0, 0, macs=0, memory=0)
        assert costs == without.layer_costs(parameters)


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_what_is_predicted_is_what_is_built(make):
    model = randomized(make())
    graph = analyse(model)
    names = {node.layer for node in graph.nodes if node.weights}
    assert names == {layer.name for layer in as_functional(model).layers if layer.weights} == MODELS[make]
    whole = apply_parameters(model, CompressionParameters.none())
    assert_same_outputs(whole, model, images(model), tolerance=1e-5)
    ratios = {group.name: 0.5 for group in graph.groups}
    kept = {layer.layer: (1, 2) for layer in graph.decomposable}
    for parameters in (
        CompressionParameters({}, {}),
        CompressionParameters(ratios, {}),
        CompressionParameters({}, kept),
    ):
        built = apply_parameters(model, parameters)
        predicted = CostModel(graph).cost(parameters)
        assert predicted == CostModel(analyse(built)).cost(CompressionParameters.none())
        assert predicted.params == built.count_params() and predicted.bytes == 4 * built.count_params()
        assert outputs(built, images(model))[0].shape == (3, 3)
