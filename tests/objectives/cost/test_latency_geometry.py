"""Models of single calls are as large as the calls that they stand for."""

import keras
import pytest

from compress.graph.analysis import analyse
from objectives.cost.latency_table import Geometry
from zoo.models.registry import build_model


@pytest.mark.parametrize("name", ["resnet20", "mobilenetv1", "vgg19"])
def test_a_model_of_a_call_maps_the_same_sizes(name):
    sites = [site for site in analyse(build_model(name)).sites if site.weights]
    for site in sites:
        geometry = Geometry.of(site)
        model = geometry.model((site.inputs[0].size, site.output.size))
        assert model.inputs[0].shape == site.input_shapes[0]
        assert model.outputs[0].shape == site.output_shape
        weights = sum(weight.name != "bias" for weight in site.weights)
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
    (site,) = [site for site in analyse(keras.Model(inputs, layer(inputs))).sites if site.kind == type(layer).__name__]
    model = Geometry.of(site).model((4, site.output.size))
    assert model.outputs[0].shape == site.output_shape
    assert [tuple(weight.shape) for weight in model.layers[-1].weights] == [tuple(w.shape) for w in layer.weights]


def test_what_dilation_shrinks_is_near():
    inputs = keras.Input((16, 16, 4))
    site = analyse(keras.Model(inputs, keras.layers.Conv2D(8, 3, dilation_rate=3)(inputs))).sites[-1]
    assert Geometry.of(site).outputs == (10, 10)
    assert Geometry.of(site).model((4, 8)).outputs[0].shape[0] is None


def test_merges_count_their_inputs():
    inputs = [keras.Input((4, 4, 2)) for _ in range(3)]
    site = analyse(keras.Model(inputs, keras.layers.Add()(inputs))).sites[-1]
    assert len(Geometry.of(site).model((5, 5)).inputs) == 3


def test_a_merge_is_as_large_as_its_output():
    inputs = [keras.Input((1, 1, 2)), keras.Input((4, 4, 2))]
    site = analyse(keras.Model(inputs, keras.layers.Multiply()(inputs))).sites[-1]
    assert Geometry.of(site).inputs == Geometry.of(site).outputs == (4, 4)


def test_other_layers_have_none():
    inputs = keras.Input((4, 4, 2))
    graph = analyse(keras.Model(inputs, keras.layers.Flatten()(inputs + 1.0)))
    assert [site.kind for site in graph.sites] == ["InputLayer", "Add", "Flatten"]
    assert [Geometry.of(site) for site in graph.sites] == [None] * 3
