"""Strided 1x1 convolutions without the gradient that oneDNN gets wrong."""

from typing import Any

import keras


def is_strided_pointwise(layer: Any) -> bool:
    """Whether a layer is a convolution that skips positions and reads one at a time."""
    pointwise = type(layer) is keras.layers.Conv2D and layer.kernel_size == (1, 1) and layer.strides != (1, 1)
    return pointwise and layer.data_format == "channels_last"


def convolve_subsampled(layer: Any, inputs: Any, kernel: Any) -> Any:
    """Take every so many positions first, and then convolve without a stride: the same function.

    oneDNN's gradient of a strided 1x1 kernel writes beyond its memory where there are fewer input channels than its
    block of 8 or 16, as in pruned models (uxlfoundation/oneDNN#6035, TensorFlow 2.21).

    Args:
        layer: one that ``is_strided_pointwise``.
        inputs: (N, H, W, in).
        kernel: (1, 1, in / groups, out).
    """
    rows, columns = layer.strides
    return keras.ops.conv(inputs[:, ::rows, ::columns], kernel, strides=1, padding="valid", data_format="channels_last")
