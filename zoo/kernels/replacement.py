"""Layers of Keras that compute with the kernels of this room for as long as a model is trained."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from zoo.kernels.batch_normalization import normalize_batch
from zoo.kernels.depthwise import depthwise, has_fast_gradients
from zoo.kernels.hardware import has_gpu

Kernel: TypeAlias = Callable[..., Any]
"""What a method of a layer is replaced by: takes the layer, then the method's arguments."""

_SHORT = (tf.bfloat16, tf.float16)


@contextmanager
def own_kernels(model: Any) -> Iterator[None]:
    """Let layers of a model compute the same functions by other kernels; each gets its own back at the end.

    Strided 1x1 convolutions never use a gradient that oneDNN gets wrong. Without a GPU, batch normalization in training
    and depthwise convolutions in 16 bits use faster kernels. Weights, and what is saved, stay the layers' own; whatever
    traces the model meanwhile computes by these kernels ever after.
    """
    with ExitStack() as methods:
        for layer in model._flatten_layers():
            chosen = _kernel(layer)
            if chosen is not None:
                method, kernel = chosen
                methods.enter_context(replaced(layer, method, partial(kernel, layer)))
        yield


@contextmanager
def replaced(layer: Any, method: str, function: Callable[..., Any]) -> Iterator[None]:
    """Let a layer have another function for its method; at the end it has again what it had."""
    before = vars(layer).get(method)
    setattr(layer, method, function)
    try:
        yield
    finally:
        delattr(layer, method)
        if before is not None:
            setattr(layer, method, before)


def _kernel(layer: Any) -> tuple[str, Kernel] | None:
    """The method of a layer that is replaced, and by what; None of a layer that stays as it is."""
    if _is_strided_pointwise(layer):
        return "convolution_op", _convolve_subsampled
    if has_gpu():
        return None
    if type(layer) is keras.layers.BatchNormalization and _normalizes_last_axis(layer):
        return "call", _normalize
    if type(layer) is keras.layers.DepthwiseConv2D and layer.data_format == "channels_last":
        return "call", _convolve_depthwise
    return None


def _is_strided_pointwise(layer: Any) -> bool:
    """Whether a layer is a convolution that skips positions and reads one at a time."""
    pointwise = type(layer) is keras.layers.Conv2D and layer.kernel_size == (1, 1) and layer.strides != (1, 1)
    return pointwise and layer.data_format == "channels_last"


def _convolve_subsampled(layer: Any, inputs: Any, kernel: Any) -> Any:
    """Take every so many positions first, and then convolve without a stride: the same function.

    oneDNN's gradient of a strided 1x1 kernel writes beyond its memory where there are fewer input channels than its
    block of 8 or 16, as in pruned models (uxlfoundation/oneDNN#6035, TensorFlow 2.21).

    Args:
        layer: a strided pointwise convolution.
        inputs: (N, H, W, in).
        kernel: (1, 1, in / groups, out).
    """
    rows, columns = layer.strides
    return keras.ops.conv(inputs[:, ::rows, ::columns], kernel, strides=1, padding="valid", data_format="channels_last")


def _normalizes_last_axis(layer: Any) -> bool:
    plain = layer.built and not layer.renorm and not layer.synchronized
    return plain and layer.variable_dtype == "float32" and layer.axis in (-1, layer.input_spec.ndim - 1)


def _normalize(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """Batch normalization (N, ..., C), which of 16-bit inputs makes no copy in float32."""
    if not (training and layer.trainable) or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    if not inputs.dtype.is_floating:  # Nothing casts integers before: a uint8 input may be the model's own.
        inputs = tf.cast(inputs, tf.float32)
    channels = inputs.shape[-1]
    scale = tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones([channels])
    offset = tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros([channels])
    outputs, *statistics = normalize_batch(inputs, scale, offset, layer.epsilon)
    for moving, batch in zip((layer.moving_mean, layer.moving_variance), statistics, strict=True):
        moving.assign(moving * layer.momentum + batch * (1 - layer.momentum))
    return tf.cast(outputs, layer.compute_dtype)


def _convolve_depthwise(layer: Any, inputs: Any) -> Any:
    """Depthwise convolution (N, H, W, C) to (N, H', W', C x depth multiplier)."""
    if inputs.dtype not in _SHORT or has_fast_gradients(layer.kernel_size, layer.strides):
        return type(layer).call(layer, inputs)
    kernel = tf.convert_to_tensor(layer.kernel)
    outputs = depthwise(inputs, kernel, layer.strides, layer.padding.upper(), layer.dilation_rate)
    if layer.use_bias:
        outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(layer.bias))
    return layer.activation(outputs)
