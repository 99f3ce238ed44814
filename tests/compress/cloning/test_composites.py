"""Layers that hold other layers, and subclassed models, replaced by what they call."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from compress.cloning.walk import as_functional
from compress.errors import ModelError
from compress.graph.analysis import analyse
from compress.model_files.files import load_model, save_model
from compress.parameter_files.files import read_parameters, write_parameters
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from tests.compress.fixtures.composites import ConvBlock, Gate, HoldsModels, Pyramid, Stage
from tests.compress.fixtures.models import between, conv, head, images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs, checked_prune


def pyramid():
    inputs = keras.Input((8, 8, 3), name="image")
    fine = conv(inputs, "fine", 4)
    made = Pyramid(5, name="pyramid")({"p2": conv(fine, "coarse", 6, strides=2), "p1": fine})
    return keras.Model(inputs, head(layers.Concatenate()([layers.MaxPooling2D()(made["p1"]), made["p2"]])))


def called_twice():
    """One layer on images of two sizes."""
    block = ConvBlock(6, name="block")
    inputs = keras.Input((8, 8, 3), name="image")
    x = layers.MaxPooling2D()(block(conv(inputs, "before", 6)))
    return keras.Model(inputs, head(block(x)))


GROUPS = {
    "block": (lambda: between(ConvBlock(5, name="block")), {"before", "block.conv", "after"}),
    "stage": (
        lambda: between(Stage(5, name="stage")),
        {"before", "stage.blocks.0.conv", "stage.blocks.1.conv", "after"},
    ),
    "models": (lambda: between(HoldsModels(5, 6, name="both")), {"before", "both.model.first", "both.sequence.second"}),
    "gate": (lambda: between(Gate(name="gate")), {"before", "after"}),
    "pyramid": (pyramid, {"fine", "coarse", "pyramid.lateral.p1", "pyramid.smooth"}),
    "twice": (called_twice, {"before", "block.conv"}),
}


@pytest.mark.parametrize("name", GROUPS)
def test_layers_inside_are_pruned_like_any_others(name):
    make, expected = GROUPS[name]
    model = randomized(make())
    before = [np.array(weight) for weight in model.weights]
    calls = [len(part._inbound_nodes) for layer in model.layers for part in layer._flatten_layers()]
    graph, small = checked_prune(model)
    assert {layer for group in graph.groups for layer in group.layers} >= expected
    assert graph.excluded[:-1] == () and small.count_params() < model.count_params()
    for now, then in zip(model.weights, before, strict=True):
        assert now.shape == then.shape
    assert [len(part._inbound_nodes) for layer in model.layers for part in layer._flatten_layers()] == calls


@pytest.mark.parametrize("name", GROUPS)
def test_the_flat_model_is_the_same(name):
    model = randomized(GROUPS[name][0]())
    flat = as_functional(model)
    assert {type(layer).__module__.split(".")[0] for layer in flat.layers} == {"keras"}
    assert_same_outputs(flat, model, tolerance=1e-5)
    assert flat.count_params() == model.count_params()
    assert len(flat.trainable_weights) == len(model.trainable_weights)
    assert as_functional(flat) is flat


def test_names_do_not_depend_on_what_was_made_before():
    first, second = (
        [layer.name for layer in as_functional(between(Stage(4, name="stage"))).layers if layer.weights] for _ in "ab"
    )
    assert first == second
    assert "stage.blocks.0.shortcut" in first and "stage.blocks.1.normalize" in first


def test_a_result_is_written_and_read_in_every_form(tmp_path):
    small = prune(randomized(between(Stage(5, name="stage"))), {"stage.blocks.0.add": 0.5})
    assert_same_outputs(load_model(save_model(small, tmp_path / "small.keras")), small, tolerance=1e-6)
    with pytest.raises(ModelError, match=r"Keras reads no operations of keras.ops from .h5 files; write a .keras file"):
        save_model(small, tmp_path / "small.h5")
    small.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    served = loaded.serve(images(small))
    np.testing.assert_allclose(np.asarray(served), outputs(small, images(small))[0], rtol=1e-5, atol=1e-6)


def test_parameters_of_layers_inside_are_written_and_read(tmp_path):
    parameters = CompressionParameters({"stage.blocks.0.add": 0.5}, {"stage.blocks.1.conv": (2, 2)})
    graph = analyse(between(Stage(5, name="stage")))
    for path in write_parameters(parameters, tmp_path, graph):
        read = read_parameters([path]).parameters
        assert read.ratios in ({}, parameters.ratios) and read.ranks in ({}, parameters.ranks)


def test_a_frozen_layer_stays_frozen():
    model = between(ConvBlock(5, name="block"))
    model.get_layer("block").trainable = False
    assert {layer.name for layer in as_functional(model).layers if layer.trainable_weights} == {
        "before",
        "after",
        "linear",
    }


def test_half_precision_is_kept():
    model = randomized(between(ConvBlock(5, name="block", dtype="mixed_float16")))
    flat = as_functional(model)
    assert "block.conv" in {layer.name for layer in flat.layers}
    assert_same_outputs(flat, model, tolerance=1e-3)


def test_a_lambda_is_what_its_function_does():
    model = between(layers.Lambda(lambda x: 2.0 * ops.tanh(x), name="lambda"))
    graph, _ = checked_prune(model)
    assert [group.name for group in graph.groups] == ["before", "after"]
    assert {"lambda.tanh", "lambda.multiply"} <= {node.layer for node in graph.nodes}


def test_an_identity_with_a_dtype_policy_is_copied():
    model = between(layers.Identity(dtype=keras.DTypePolicy("float32")))
    assert [group.name for group in checked_prune(model)[0].groups] == ["before", "after"]


class Positions(layers.Layer):
    """Reshapes with the batch that it is told, which is None for symbolic tensors."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.conv, self.over = layers.Conv2D(filters, 1), layers.Conv1D(filters, 3, padding="same")

    def call(self, x):
        batch, height, width, _ = ops.shape(x)
        y = self.over(ops.reshape(self.conv(x), (batch, -1, self.conv.filters)))
        return ops.reshape(y, (batch, height, width, self.conv.filters))


def test_the_batch_of_a_reshape_may_be_the_one_that_is_told():
    graph, _ = checked_prune(between(Positions(5, name="positions")))
    assert [group.name for group in graph.groups] == ["before", "positions.conv", "positions.over", "after"]


class Padded(layers.Layer):
    """Its Sequential part was built for a larger image than it is called with, as in RepVGG."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.part = keras.Sequential([layers.Conv2D(filters, 1, name="part"), layers.BatchNormalization()])

    def build(self, shape):
        self.part.build((None, shape[1] + 2, shape[2] + 2, shape[3]))

    def call(self, x, training=None):
        return self.part(x, training=training)

    def compute_output_shape(self, shape):
        return (*shape[:-1], 5)


def test_a_sequential_part_takes_images_of_any_size():
    layer = Padded(5, name="padded")
    graph, _ = checked_prune(between(layer))
    assert [group.name for group in graph.groups] == ["before", "padded.part.part", "after"]
    assert "compute_output_spec" not in vars(layer.part)
