"""Weights that training leaves alone, single ones or all of a model: they stay so in every model that is made."""

import keras
import pytest
from keras import layers

from compress.cloning.rebuild import copy_model
from compress.cloning.walk import as_functional
from compress.decomposition.cp import decompose_cp
from compress.decomposition.svd import decompose_svd
from compress.decomposition.tucker import decompose
from compress.graph.frozen import frozen_layers
from compress.graph.sizes import at_size
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from compress.recipe import apply_parameters
from tests.compress.fixtures.composites import ConvBlock
from tests.compress.fixtures.models import block, chain, conv, head
from tests.compress.fixtures.user_layers import LayerScale


def model_of_all_kinds():
    """Layers of the model, of one in it, of a composite layer, of wrappers, of the user's, and some not understood."""
    inputs, inner = keras.Input((8, 8, 3)), keras.Input((8, 8, 8))
    x = conv(block(inputs, "first", 8), "second", 8)
    x = keras.Model(inner, conv(inner, "inside", 8), name="nested")(x)
    x = LayerScale(0.1, name="scale")(ConvBlock(8, name="composite")(x))
    x = layers.Reshape((64, 8))(conv(x, "last", 8, 1))
    x = layers.TimeDistributed(layers.Dense(8), name="time")(layers.MultiHeadAttention(2, 4, name="attention")(x, x))
    return keras.Model(inputs, head(layers.Reshape((8, 8, 8))(x)))


WAYS = {
    "copy": copy_model,
    "prune": lambda model: prune(model, {"first": 0.5, "composite.add": 0.5}),
    "recipe": lambda model: apply_parameters(model, CompressionParameters({"first": 0.5}, {})),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", [0, 1, 2])
def test_every_third_weight(first, way):
    model = model_of_all_kinds()
    for weight in model.weights[first::3]:
        weight.trainable = False
    flags = [weight.trainable for weight in model.weights]
    assert len(flags) == 32 and any(flags)
    assert [weight.trainable for weight in WAYS[way](model).weights] == flags


class Renamed(keras.Model):
    """A functional model under another class."""


class Calling(keras.Model):
    """A subclassed model, read by what it calls."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.second = layers.Conv2D(8, 3, name="first"), layers.Conv2D(8, 3, name="second")

    def call(self, inputs):
        return self.second(self.first(inputs))


def _of_all_kinds(model_class):
    model = model_of_all_kinds()
    return model_class(model.inputs, model.outputs, trainable=False)


def _calling():
    model = Calling(trainable=False)
    model(keras.ops.zeros((1, 8, 8, 3)))
    return model


def _sequential():
    parts = [layers.Conv2D(8, 3, name="first"), layers.Conv2D(8, 3, name="second"), layers.Flatten(), layers.Dense(2)]
    return keras.Sequential([keras.Input((8, 8, 3)), *parts], trainable=False)


def _compiled():
    model = _of_all_kinds(keras.Model)
    model.compile("sgd", "mse")
    return model


WHOLE = {
    "functional": lambda: _of_all_kinds(keras.Model),
    "compiled": _compiled,
    "renamed": lambda: _of_all_kinds(Renamed),
    "sequential": _sequential,
    "calling": _calling,
}


@pytest.mark.parametrize("way", [copy_model, lambda model: prune(model, {"first": 0.5})])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_model_that_its_constructor_froze(kind, way):
    """Its layers and weights say that they are trainable; Keras trains none of them all the same."""
    model = WHOLE[kind]()
    assert not model.trainable_weights and all(layer.trainable for layer in model.layers)
    made = way(model)
    assert made.weights and not made.trainable_weights
    assert frozen_layers(as_functional(model)) == tuple(
        layer.name for layer in as_functional(made).layers if layer.weights
    )


def test_a_model_of_any_size_that_its_constructor_froze():
    inputs = keras.Input((None, None, 3))
    made = at_size(keras.Model(inputs, layers.Conv2D(8, 3)(inputs), trainable=False), (8, 8))
    assert made.output_shape == (None, 6, 6, 8) and made.weights and not made.trainable_weights


RANKS = CompressionParameters({}, {"conv2": (4, 4)})
PARTS = {
    "tucker": (lambda model: decompose(model, {"conv2": (4, 4)}), 3),
    "recipe": (lambda model: apply_parameters(model, RANKS), 3),
    "other recipe": (lambda model: apply_parameters(model, RANKS, ("decompose", "prune")), 3),
    "cp": (lambda model: decompose_cp(model, {"conv2": 4}), 3),
    "svd": (lambda model: decompose_svd(model, {"linear": 2}), 2),
}


@pytest.mark.parametrize("way", PARTS)
@pytest.mark.parametrize("frozen", ["kernel", "bias"])
def test_factors_of_a_frozen_kernel(frozen, way):
    (decomposed, count), model = PARTS[way], chain()
    for name in ("conv2", "linear"):
        getattr(model.get_layer(name), frozen).trainable = False
    made = decomposed(model)
    parts = [weight for weight in made.weights if weight.path.startswith(("conv2_", "linear_"))]
    assert len(parts) == count + 1
    assert {weight.name for weight in parts if not weight.trainable} == {frozen}
    assert all(weight.trainable for weight in parts if weight.name != frozen)
