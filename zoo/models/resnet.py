"""Residual networks for small images (He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2)."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import KerasTensor

from zoo.models.units import classifier, convolution, normalization, normalized_relu


@dataclass(frozen=True)
class ResNet:
    """The shape of a residual network; the stem is a 3x3 convolution of the first stage's width, without max-pool.

    widths: convolution width of each stage; every stage but the first halves the image in its first block.
    depths: blocks in each stage.
    bottleneck: 1x1, 3x3 (which takes the stride), 1x1 to four times the width, instead of two 3x3.
    shortcut_normalization: batch normalisation after each 1x1 shortcut convolution.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    bottleneck: bool
    shortcut_normalization: bool

    def __call__(self, name: str, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
        """Build the model: images (N, *input_shape) to class probabilities (N, classes)."""
        inputs = keras.Input(input_shape, name="input")
        x = normalized_relu(convolution(inputs, "conv1", self.widths[0], 3), "", 1)
        merges = 0
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True), start=1):
            for block in range(depth):
                stride = 2 if stage > 1 and block == 0 else 1
                x = self._block(x, f"layer{stage}.{block}.", f"add_{merges}" if merges else "add", width, stride)
                merges += 1
        x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
        return keras.Model(inputs, classifier(x, classes), name=name)

    def _block(self, x: KerasTensor, prefix: str, merge: str, width: int, stride: int) -> KerasTensor:
        body: Callable[..., KerasTensor] = _bottleneck_body if self.bottleneck else _basic_body
        out, last = body(x, prefix, width, stride)
        shortcut = x
        if stride > 1 or x.shape[-1] != out.shape[-1]:
            shortcut = convolution(x, f"{prefix}shortcut.0", out.shape[-1], 1, stride)
            if self.shortcut_normalization:
                shortcut = normalization(shortcut, f"{prefix}shortcut.1")
        return keras.layers.ReLU(name=f"{prefix}relu{last}")(keras.layers.Add(name=merge)([out, shortcut]))


def _basic_body(x: KerasTensor, prefix: str, width: int, stride: int) -> tuple[KerasTensor, int]:
    """Two 3x3 convolutions; returns the normalised output before the merge and the number of its last layer."""
    x = normalized_relu(convolution(x, f"{prefix}conv1", width, 3, stride), prefix, 1)
    return normalization(convolution(x, f"{prefix}conv2", width, 3), f"{prefix}bn2"), 2


def _bottleneck_body(x: KerasTensor, prefix: str, width: int, stride: int) -> tuple[KerasTensor, int]:
    """1x1, 3x3 with the stride, 1x1 to four times the width; returns as `_basic_body` does.

    The 3x3 pads itself: NPTK's published cost after decomposition implies it, since a padding layer in front would make
    the first factor of a decomposed strided convolution work on the padded image.
    """
    x = normalized_relu(convolution(x, f"{prefix}conv1", width, 1), prefix, 1)
    x = normalized_relu(convolution(x, f"{prefix}conv2", width, 3, stride, explicit_padding=False), prefix, 2)
    return normalization(convolution(x, f"{prefix}conv3", 4 * width, 1), f"{prefix}bn3"), 3
