"""Depthwise convolution of the shared network; gradients of low precision in float32 where that is faster.

oneDNN computes them in bfloat16 for plain 3x3 kernels only: with a stride of two, the gradient of 32 images of 56 by 56
pixels and 75 channels takes seven times as long as in float32, and larger kernels twice as long.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from objectives.network.hardware import has_gpu

_PLAIN_SIDE = 3


def depthwise(inputs: Any, kernel: Any, strides: tuple[int, int], padding: str, dilations: Any) -> Any:
    """Inputs (N, H, W, C) convolved channel by channel, in their precision.

    Args:
        inputs: float32, bfloat16 or float16.
        kernel: float32 (height, width, C, depth multiplier).
        strides: of rows and columns.
        padding: SAME or VALID.
        dilations: of rows and columns.
    """

    def convolved(inputs: Any, kernel: Any) -> Any:
        return tf.nn.depthwise_conv2d(inputs, kernel, (1, *strides, 1), padding, dilations=dilations)

    is_plain = tuple(strides) == (1, 1) and max(kernel.shape[:2]) <= _PLAIN_SIDE
    if inputs.dtype == tf.float32 or is_plain or has_gpu():
        return convolved(inputs, tf.cast(kernel, inputs.dtype))
    return _with_exact_gradients(convolved, inputs, kernel)


def _with_exact_gradients(convolved: Callable[[Any, Any], Any], inputs: Any, kernel: Any) -> Any:
    """Outputs in the precision of the inputs, and gradients of the very same rounded values, in float32."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def computed(inputs: Any, kernel: Any) -> Any:
        rounded = tf.cast(kernel, inputs.dtype)

        def gradient(upstream: Any) -> tuple[Any, Any]:
            given = [tf.cast(value, tf.float32) for value in (inputs, rounded)]
            with tf.GradientTape() as tape:
                tape.watch(given)
                outputs = convolved(*given)
            to_inputs, to_kernel = tape.gradient(outputs, given, tf.cast(upstream, tf.float32))
            return tf.cast(to_inputs, inputs.dtype), to_kernel

        return convolved(inputs, rounded), gradient

    return computed(inputs, kernel)
