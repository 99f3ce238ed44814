"""Strided 1x1 convolutions: the same values and gradients, another way."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.kernels.replacement import own_kernels


def net(strides: tuple[int, int], padding: str, groups: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((9, 8, 4))
    x = keras.layers.Conv2D(6, 1, strides=strides, padding=padding, groups=groups, activation="tanh")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(2, 3, strides=2)(x))


@pytest.mark.parametrize(
    ("strides", "padding", "groups"), [((2, 2), "same", 1), ((2, 3), "valid", 1), ((3, 2), "same", 2)]
)
def test_values_and_gradients_are_the_same(strides: tuple[int, int], padding: str, groups: int) -> None:
    model = net(strides, padding, groups)
    x = np.random.default_rng(0).normal(size=(3, 9, 8, 4)).astype(np.float32)

    def values_and_gradients() -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            outputs = model(x)
            loss = tf.reduce_sum(outputs**2)
        return [outputs.numpy(), *(g.numpy() for g in tape.gradient(loss, model.trainable_variables))]

    plain = values_and_gradients()
    with own_kernels(model):
        assert "convolution_op" in vars(model.layers[1]) and "convolution_op" not in vars(model.layers[2])
        other = values_and_gradients()
    assert "convolution_op" not in vars(model.layers[1])
    for one, two in zip(plain, other, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_layers_come_back_after_an_error() -> None:
    model = net((2, 2), "same", 1)
    with pytest.raises(KeyboardInterrupt), own_kernels(model):
        raise KeyboardInterrupt
    assert "convolution_op" not in vars(model.layers[1])
