"""A small EDSR (Lim et al. 2017, arXiv:1707.02921): residual blocks without batch normalization, then depth to space.

What it computes is added to the image enlarged by bilinear interpolation, with which training begins.
"""

import keras
from keras import KerasTensor

from compress.errors import ConfigError
from zoo.models.units import convolution

_BLOCKS, _FILTERS = 8, 16


def edsr(name: str, input_shape: tuple[int, int, int], factor: int) -> keras.Model:
    """Images (N, height, width, channels) of 0 to 1 to images (N, factor * height, factor * width, channels).

    Raises:
        ConfigError: a Keras that has no `keras.ops.depth_to_space`.
    """
    if not hasattr(keras.ops, "depth_to_space"):
        raise ConfigError(f"expected Keras with ops.depth_to_space for {name}, received {keras.__version__}; update it")
    inputs = keras.Input(input_shape, name="input")
    x = stem = convolution(inputs, "conv1", _FILTERS, 3, bias=True)
    for block in range(_BLOCKS):
        x = _block(x, f"layer{block}.")
    x = keras.layers.Add(name="add_long")([stem, convolution(x, "conv2", _FILTERS, 3, bias=True)])
    x = convolution(x, "expand", _FILTERS * factor**2, 3, bias=True)
    x = keras.ops.depth_to_space(x, factor)
    x = keras.layers.Conv2D(
        input_shape[-1], 3, padding="same", kernel_initializer="zeros", dtype="float32", name="pixels"
    )(x)
    enlarged = keras.layers.UpSampling2D(factor, interpolation="bilinear", dtype="float32", name="enlarge")(inputs)
    return keras.Model(inputs, keras.layers.Add(dtype="float32", name="image")([enlarged, x]), name=name)


def _block(x: KerasTensor, prefix: str) -> KerasTensor:
    """Two 3x3 convolutions with a ReLU between them, added to what they read."""
    y = convolution(x, f"{prefix}conv1", _FILTERS, 3, bias=True)
    y = keras.layers.ReLU(name=f"{prefix}relu")(y)
    return keras.layers.Add(name=f"{prefix}add")([x, convolution(y, f"{prefix}conv2", _FILTERS, 3, bias=True)])
