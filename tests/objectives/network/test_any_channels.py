"""Statistics of the images and reshaped channels, as EfficientNet has them, with any number of channels."""

import keras
import numpy as np
import pytest

from compress.graph.analysis import analyse
from compress.pruning.pruning import prune
from compress.recipe import compressed_values
from objectives.network.elastic_layers import takes_any_channels
from objectives.network.signature import signature
from tests.objectives.images import CLASSES, SHAPE, copy
from tests.objectives.network.networks import images, keras_step, network_of, randomized, step

RATIOS = {"gated": 0.5, "squeeze": 0.5}


def excited(positions: tuple[int, ...] = (1, 1)) -> keras.Model:
    """A convolution of known statistics, gated by squeeze and excitation, and normalized once more behind it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE, name="input")
    x = keras.layers.Normalization(name="images")(inputs)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="silu", name="a")(x)
    x = keras.layers.Normalization(axis=3, name="inside")(x)
    gate = keras.layers.Reshape((*positions, 8), name="reshape")(keras.layers.GlobalAveragePooling2D(name="pool")(x))
    gate = keras.layers.Conv2D(4, 1, activation="silu", name="squeeze")(gate)
    gate = keras.layers.Conv2D(8, 1, activation="sigmoid", name="excite")(gate)
    x = keras.layers.Multiply(name="gated")([x, gate])
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(x)
    model = randomized(keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax", name="head")(x)))
    rng = np.random.default_rng(4)
    for name in ("images", "inside"):
        layer = model.get_layer(name)
        layer.adapt_mean.assign(rng.normal(0, 1, layer.adapt_mean.shape))
        layer.adapt_variance.assign(rng.uniform(0.2, 3, layer.adapt_variance.shape))
        layer.finalize_state()
    return model


def test_candidates_share_the_network_of_the_original() -> None:
    original = excited()
    smaller = prune(original, RATIOS)
    assert smaller.get_layer("reshape").target_shape == (1, 1, 4)
    assert signature(smaller) == signature(original) is not None
    x, y = images(original, 16)
    network = network_of(original)
    np.testing.assert_allclose(network.infer(x).numpy(), original(x).numpy(), rtol=1e-4, atol=1e-6)
    network.load_weights(compressed_values(original, analyse(original), RATIOS, {}), seed=0)
    np.testing.assert_allclose(network.infer(x).numpy(), smaller(x).numpy(), rtol=1e-4, atol=1e-6)
    written = copy(smaller)
    for weight in written.weights:
        weight.assign(keras.ops.zeros_like(weight))
    network.unload(written)
    np.testing.assert_allclose(written(x).numpy(), smaller(x).numpy(), rtol=1e-4, atol=1e-6)
    loss, weights = keras_step(smaller, x, y, keras.optimizers.SGD(0.1, momentum=0.9))
    assert step(network, x, y, 0.1) == pytest.approx(loss, rel=1e-5)
    network.unload(written)
    for result, expected in zip(written.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-4, atol=1e-5)
    # A step leaves known statistics alone.
    np.testing.assert_array_equal(written.get_layer("inside").adapt_mean, smaller.get_layer("inside").adapt_mean)


def test_positions_of_a_reshape_are_told_apart() -> None:
    def shaped(*target: int) -> str | None:
        inputs = keras.Input((4, 6), name="input")
        x = keras.layers.Reshape(target, name="reshape")(keras.layers.Dense(6, name="dense")(inputs))
        return signature(keras.Model(inputs, x))

    assert shaped(2, 2, 6) != shaped(4, 1, 6)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.Reshape((2, 8, 6)), True),
        (keras.layers.Reshape((96,)), False),
        (keras.layers.Reshape((-1, 6)), False),
        (keras.layers.Reshape((6, 16)), False),
        (keras.layers.Normalization(), True),
        (keras.layers.Normalization(axis=1), False),
        (keras.layers.Normalization(axis=None), False),
        (keras.layers.Normalization(invert=True), False),
        (keras.layers.Normalization(mean=0.0, variance=1.0), False),
    ],
)
def test_other_options_keep_keras_s_own_layer(layer: keras.Layer, expected: bool) -> None:
    layer(keras.Input((4, 4, 6)))
    assert takes_any_channels(layer) == expected
