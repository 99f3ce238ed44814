"""Models of single calls are as large as the calls that they stand for."""

import keras
import pytest

from compress.graph.analysis import analyse
from objectives.cost.latency_table import Geometry
from tests.objectives.thin_models import thin_model


@pytest.mark.parametrize("name", ["resnet20", "mobilenetv1", "vgg19"])
def test_a_model_of_a_call_maps_the_same_sizes(name):
    nodes = [node for node in analyse(thin_model(name)).nodes if node.weights]
    for node in nodes:
        geometry = Geometry.of(node)
        model = geometry.model((node.inputs[0].size, node.output.size))
        assert model.inputs[0].shape == node.input_shapes[0]
        assert model.outputs[0].shape == node.output_shape
        weights = sum(weight.name != "bias" for weight in node.weights)
        assert len([path for path in model.weights if not path.path.endswith("bias")]) == weights


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(8, 3, strides=2, padding="valid"),
        keras.layers.Conv2D(8, (3, 5), strides=1, padding="valid"),
        keras.layers.Conv2D(8, 3, groups=2, padding="same"),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
        keras.layers.SeparableConv2D(6, 3, strides=2, padding="same"),
        keras.layers.MaxPooling2D(3, 2),
        keras.layers.AveragePooling2D(2, padding="same"),
        keras.layers.BatchNormalization(),
    ],
    ids=lambda layer: layer.name,
)
def test_strides_padding_and_groups_are_found(layer):
    inputs = keras.Input((13, 13, 4))
    (node,) = [node for node in analyse(keras.Model(inputs, layer(inputs))).nodes if node.kind == type(layer).__name__]
    model = Geometry.of(node).model((4, node.output.size))
    assert model.outputs[0].shape == node.output_shape
    assert [tuple(weight.shape) for weight in model.layers[-1].weights] == [tuple(w.shape) for w in layer.weights]


def test_what_dilation_shrinks_is_near():
    inputs = keras.Input((16, 16, 4))
    node = analyse(keras.Model(inputs, keras.layers.Conv2D(8, 3, dilation_rate=3)(inputs))).nodes[-1]
    assert Geometry.of(node).outputs == (10, 10)
    assert Geometry.of(node).model((4, 8)).outputs[0].shape[0] is None


def test_merges_count_their_inputs():
    inputs = [keras.Input((4, 4, 2)) for _ in range(3)]
    node = analyse(keras.Model(inputs, keras.layers.Add()(inputs))).nodes[-1]
    assert len(Geometry.of(node).model((5, 5)).inputs) == 3


def test_a_merge_is_as_large_as_its_output():
    inputs = [keras.Input((1, 1, 2)), keras.Input((4, 4, 2))]
    node = analyse(keras.Model(inputs, keras.layers.Multiply()(inputs))).nodes[-1]
    assert Geometry.of(node).inputs == Geometry.of(node).outputs == (4, 4)


def test_other_layers_have_none():
    inputs = keras.Input((4, 4, 2))
    graph = analyse(keras.Model(inputs, keras.layers.Flatten()(inputs + 1.0)))
    assert [node.kind for node in graph.nodes] == ["InputLayer", "Add", "Flatten"]
    assert [Geometry.of(node) for node in graph.nodes] == [None] * 3
