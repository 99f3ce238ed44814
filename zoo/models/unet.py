"""A small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) with batch normalization and as many pixels out as in."""

import keras
from keras import KerasTensor

from compress.errors import ConfigError
from zoo.models.units import convolution, normalized_relu

_WIDTHS = (8, 16, 32, 64)
_POOLS = (2, 2, 3)
"""Images of 240 by 180 pixels, as of CamVid, go through all of them without a remainder."""


def unet(name: str, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Images (N, *input_shape) to probabilities (N, height, width, classes).

    Raises:
        ConfigError: a height or width that is no multiple of 12.
    """
    if any(side % 12 for side in input_shape[:2]):
        raise ConfigError(
            f"expected a height and width that 12 divides for {name}, received {input_shape[0]} by {input_shape[1]}; "
            "give a data.image_size"
        )
    inputs = keras.Input(input_shape, name="input")
    x, skipped = inputs, []
    for level, (width, pool) in enumerate(zip(_WIDTHS, (*_POOLS, 0), strict=True), start=1):
        x = _twice(x, f"down{level}.", width)
        if pool:
            skipped.append(x)
            x = keras.layers.MaxPooling2D(pool, name=f"down{level}.pool")(x)
    for level in range(len(_POOLS), 0, -1):
        x = keras.layers.UpSampling2D(_POOLS[level - 1], name=f"up{level}.sample")(x)
        x = keras.layers.Concatenate(name=f"up{level}.concat")([skipped[level - 1], x])
        x = _twice(x, f"up{level}.", _WIDTHS[level - 1])
    outputs = keras.layers.Conv2D(classes, 1, activation="softmax", dtype="float32", name="pixels")(x)
    return keras.Model(inputs, outputs, name=name)


def _twice(x: KerasTensor, prefix: str, width: int) -> KerasTensor:
    """Two 3x3 convolutions, `<prefix>conv1` and `<prefix>conv2`, each with batch normalization and ReLU."""
    for index in (1, 2):
        x = normalized_relu(convolution(x, f"{prefix}conv{index}", width, 3), prefix, index)
    return x
