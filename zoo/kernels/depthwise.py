"""Depthwise convolution; gradients of low precision in float32 where that is faster.

oneDNN computes them in bfloat16 for plain 3x3 kernels only: with a stride of two, the gradient of 32 images of 56 by 56
pixels and 75 channels takes seven times as long as in float32, and larger kernels twice as long.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from zoo.kernels.hardware import has_gpu

_PLAIN_SIDE = 3


def depthwise(inputs: Any, kernel: Any, strides: tuple[int, int], padding: str, dilations: Any) -> Any:
    """Inputs (N, H, W, C) convolved channel by channel, in their precision.

    Args:
        inputs: float32, bfloat16 or float16.
        kernel: (height, width, C, depth multiplier), float32 or as the inputs.
        strides: of rows and columns.
        padding: SAME or VALID.
        dilations: of rows and columns.
    """

    def convolved(inputs: Any, kernel: Any) -> Any:
        return tf.nn.depthwise_conv2d(inputs, kernel, (1, *strides, 1), padding, dilations=dilations)

    if inputs.dtype == tf.float32 or has_fast_gradients(kernel.shape[:2], strides) or has_gpu():
        return convolved(inputs, tf.cast(kernel, inputs.dtype))
    return _with_exact_gradients(convolved, inputs, kernel)


def has_fast_gradients(sides: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether oneDNN computes the gradients of such a kernel fast in 16 bits, too."""
    return tuple(strides) == (1, 1) and max(sides) <= _PLAIN_SIDE


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
            return tf.cast(to_inputs, inputs.dtype), tf.cast(to_kernel, kernel.dtype)

        return convolved(inputs, rounded), gradient

    return computed(inputs, kernel)
