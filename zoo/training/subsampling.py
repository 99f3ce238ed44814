"""Strided 1x1 convolutions trained without the gradient that oneDNN gets wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras


@contextmanager
def subsampled(model: Any) -> Iterator[None]:
    """Let strided 1x1 convolutions take every so many positions first, and then convolve without a stride.

    It is the same function. But oneDNN's gradient of a strided 1x1 kernel writes beyond its memory where there are
    fewer input channels than its block of 8 or 16, as in pruned models (uxlfoundation/oneDNN#6035, TensorFlow 2.21).
    """
    layers = list(_strided_pointwise(model))
    for layer in layers:
        layer.convolution_op = partial(_convolve, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.convolution_op


def _strided_pointwise(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _strided_pointwise(layer)
        elif is_strided_pointwise(layer):
            yield layer


def is_strided_pointwise(layer: Any) -> bool:
    """Whether a layer is a convolution that skips positions and reads one at a time."""
    pointwise = type(layer) is keras.layers.Conv2D and layer.kernel_size == (1, 1) and layer.strides != (1, 1)
    return pointwise and layer.data_format == "channels_last"


def _convolve(layer: Any, inputs: Any, kernel: Any) -> Any:
    rows, columns = layer.strides
    return keras.ops.conv(inputs[:, ::rows, ::columns], kernel, strides=1, padding="valid", data_format="channels_last")
