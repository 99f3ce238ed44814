"""Depthwise convolution in low precision: Keras's outputs, and the gradients of the same values in float32."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.kernels.depthwise import depthwise


@pytest.mark.parametrize(
    ("side", "strides", "padding", "dilations"),
    [
        (3, 1, "same", 1),
        (3, 2, "same", 1),
        (3, 2, "valid", 1),
        (5, 1, "same", 1),
        (5, 2, "valid", 1),
        (5, 1, "same", 2),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_outputs_and_gradients_are_those_of_keras(
    side: int, strides: int, padding: str, dilations: int, precision: str
) -> None:
    rng = np.random.default_rng(0)
    given = tf.cast(rng.normal(size=(2, 9, 9, 5)), precision)
    rounded = tf.cast(tf.cast(rng.normal(size=(side, side, 5, 2)), precision), tf.float32)
    layer = keras.layers.DepthwiseConv2D(
        side, strides, padding, depth_multiplier=2, dilation_rate=dilations, use_bias=False
    )
    exact = tf.cast(given, tf.float32)
    layer.build(tuple(given.shape))
    layer.kernel.assign(rounded)

    def ours(inputs: Any, kernel: Any) -> Any:
        return depthwise(inputs, kernel, (strides, strides), padding.upper(), (dilations, dilations))

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([given, rounded, exact])
        expected = layer(exact)
        outputs = tf.function(ours, autograph=False)(given, rounded)
    above = tf.cast(tf.cast(rng.normal(size=expected.shape), precision), tf.float32)
    assert outputs.dtype == precision
    close = {"rtol": 1e-4, "atol": 1e-4} if precision == "float32" else {"rtol": 0.01, "atol": 0.1}
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, **close)
    to_inputs, to_kernel = tape.gradient(outputs, [given, rounded], tf.cast(above, precision))
    assert to_inputs.dtype == precision and to_kernel.dtype == tf.float32
    np.testing.assert_allclose(tf.cast(to_inputs, tf.float32), tape.gradient(expected, exact, above), **close)
    if precision == "float32" or strides > 1 or side > 3:  # Else the kernel of that precision sums as it likes.
        exact_kernel = tape.gradient(expected, layer.kernel.value, above)
        np.testing.assert_allclose(to_kernel, exact_kernel, rtol=1e-4, atol=1e-4)
