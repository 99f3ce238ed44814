"""Layers computed by other kernels: the same values, gradients and statistics, and at the end their own again."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.kernels import replacement
from zoo.kernels.replacement import own_kernels, replaced
from zoo.training.precision import computing_in
from zoo.training.recalibration import BatchStatistics

layers = keras.layers
IMAGES = np.random.default_rng(0).normal(1, 2, (8, 8, 8, 4)).astype(np.float32)
ABOVE = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)

NORMALIZATIONS: dict[str, Callable[[], Any]] = {
    "plain": layers.BatchNormalization,
    "axis by number": lambda: layers.BatchNormalization(axis=3, epsilon=0.1),
    "no scale": lambda: layers.BatchNormalization(scale=False, momentum=0.5),
    "no center": lambda: layers.BatchNormalization(center=False),
    "neither": lambda: layers.BatchNormalization(scale=False, center=False),
}


def net(middle: Any, size: tuple[int, int] = (8, 8)) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((*size, 4))
    inner = keras.Sequential([keras.Input((*size, 6)), middle], name="inner")
    x = inner(layers.Conv2D(6, 3)(layers.ZeroPadding2D()(inputs)))
    x = layers.Conv2D(3, 3, strides=2, padding="same", activation="tanh")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


def step(model: keras.Model, precision: Any = "float32") -> list[np.ndarray]:
    """Outputs in training, gradients, and the weights after it, the moving statistics included."""
    with computing_in(model, precision), tf.GradientTape() as tape:
        rows, columns = model.input_shape[1:3]
        outputs = model(IMAGES[:, :rows, :columns], training=True)
        total = tf.reduce_sum(outputs * ABOVE)
    gradients = tape.gradient(total, model.trainable_variables)
    return [np.array(outputs), *map(np.array, gradients), *model.get_weights()]


def both(
    middle: Callable[[], Any], precision: Any = "float32", size: tuple[int, int] = (8, 8)
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What Keras makes, and what the kernels make."""
    plain, ours = net(middle(), size), net(middle(), size)
    with own_kernels(ours):
        made = step(ours, precision)
    return step(plain, precision), made


def kernels_of(model: keras.Model) -> list[str]:
    """Names of the layers with another method than their own."""
    return [one.name for one in model._flatten_layers() if {"call", "convolution_op"} & set(vars(one))]


@pytest.mark.parametrize("size", [(8, 8), (6, 5)])
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_batch_normalization_trains_as_keras_does(name: str, size: tuple[int, int]) -> None:
    for one, other in zip(*both(NORMALIZATIONS[name], size=size), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("kind", ["uint8", "int32", "bool"])
def test_whole_numbers_are_normalized_as_keras_does(kind: str) -> None:
    """Of a model whose own input they are: nothing casts them before."""
    images = (IMAGES[..., :3] * 20 % 256).astype(kind)
    made = []
    for kernels in (lambda model: nullcontext(), own_kernels):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((8, 8, 3), dtype=kind), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
        )
        with kernels(model), tf.GradientTape() as tape:
            outputs = model(images, training=True)
            total = tf.reduce_sum(outputs * ABOVE[:, :2])
        made.append([outputs, *tape.gradient(total, model.trainable_variables), *model.get_weights()])
    for one, other in zip(*made, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-4)


def test_in_16_bits_it_is_as_close_as_keras_is() -> None:
    exact, _ = both(layers.BatchNormalization)
    plain, ours = both(layers.BatchNormalization, "mixed_bfloat16")
    for truth, theirs, made in zip(exact, plain, ours, strict=True):
        assert made.dtype == np.float32
        allowed = 2 * np.abs(theirs - truth).max() + 0.01 * np.abs(truth).max()
        assert np.abs(made - truth).max() <= allowed


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_depthwise_convolution_in_16_bits_has_the_gradients_of_whole_floats(padding: str) -> None:
    def middle() -> Any:
        return layers.DepthwiseConv2D(
            5, 2, padding, depth_multiplier=2, activation="relu", bias_initializer="random_normal"
        )

    exact, _ = both(middle)
    plain, ours = both(middle, "mixed_bfloat16")
    for truth, theirs, made in zip(exact, plain, ours, strict=True):
        assert np.abs(made - truth).max() <= 2 * np.abs(theirs - truth).max() + 0.01 * np.abs(truth).max()
    for one, other in zip(*both(middle), strict=True):
        np.testing.assert_array_equal(one, other)


def test_inference_frozen_layers_and_masks_are_left_to_keras() -> None:
    model = net(layers.BatchNormalization(name="norm"))
    norm = model.get_layer("inner").get_layer("norm")
    norm.moving_mean.assign([1.0] * 6)
    values, mask = IMAGES[..., :1] * np.ones(6, np.float32), IMAGES[..., 0] > 0
    expected = [norm(values, training=False), norm(values, training=True, mask=mask), norm.moving_mean.numpy()]
    norm.moving_mean.assign([1.0] * 6)
    norm.moving_variance.assign([1.0] * 6)
    with own_kernels(model):
        made = [norm(values, training=False), norm(values, training=True, mask=mask), norm.moving_mean.numpy()]
        norm.trainable = False
        still = norm.moving_mean.numpy()
        norm(values, training=True)
        np.testing.assert_array_equal(norm.moving_mean.numpy(), still)
    for one, other in zip(expected, made, strict=True):
        np.testing.assert_array_equal(one, other)


class Own(layers.BatchNormalization):
    """A class of a user's, that may compute something else."""


@pytest.mark.parametrize(
    "middle",
    [
        lambda: Own(),
        lambda: layers.BatchNormalization(axis=1),
        lambda: layers.BatchNormalization(renorm=True),
        lambda: layers.BatchNormalization(synchronized=True),
        lambda: layers.BatchNormalization(dtype="float64"),
        lambda: layers.LayerNormalization(),
    ],
)
def test_what_the_kernels_do_not_compute_stays_as_it_is(middle: Callable[[], Any]) -> None:
    model = net(middle())
    with own_kernels(model):
        assert kernels_of(model) == []


def test_a_gpu_keeps_all_but_what_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacement, "has_gpu", lambda: True)
    model = net(layers.BatchNormalization())
    strided = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(2, 1, 2, name="strided")])
    with own_kernels(model), own_kernels(strided):
        assert kernels_of(model) == [] and kernels_of(strided) == ["strided"]


def test_layers_have_their_own_methods_again_even_after_an_error() -> None:
    model = net(layers.BatchNormalization(name="norm"))
    with pytest.raises(KeyboardInterrupt), own_kernels(model):
        assert kernels_of(model) == ["norm"]
        raise KeyboardInterrupt
    assert kernels_of(model) == []


def test_statistics_can_be_estimated_meanwhile() -> None:
    """Both replace the same method, one within the other."""
    plain, ours = (net(layers.BatchNormalization(name="norm")) for _ in range(2))
    BatchStatistics(plain).estimate([IMAGES])
    with own_kernels(ours):
        before = vars(ours.get_layer("inner").get_layer("norm"))["call"]
        BatchStatistics(ours).estimate([IMAGES])
        assert vars(ours.get_layer("inner").get_layer("norm"))["call"] is before
    for one, other in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_replacements_nest() -> None:
    layer = layers.ReLU()
    with replaced(layer, "call", "outer"):
        with replaced(layer, "call", "inner"):
            assert layer.call == "inner"
        assert layer.call == "outer"
    assert "call" not in vars(layer)
