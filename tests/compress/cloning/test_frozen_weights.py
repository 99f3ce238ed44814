"""Single weights that training leaves alone, in trainable layers: they stay so in every model that is made."""

import keras
import pytest
from keras import layers

from compress.cloning.rebuild import copy_model
from compress.decomposition.cp import decompose_cp
from compress.decomposition.svd import decompose_svd
from compress.decomposition.tucker import decompose
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
