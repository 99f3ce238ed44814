"""The rows of inputs (im2col) that a convolution or dense layer multiplies its kernel with, at sampled places."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Reader:
    """The window with which a layer reads its input (batch, ..., channels).

    Attributes:
        size: window, (kh, kw); () for a dense layer.
        strides: of the window, one for each axis of it.
        dilation: of the window, one for each axis of it.
        same: whether the input is padded as TensorFlow's "same" does.
    """

    size: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    same: bool = False

    @classmethod
    def of(cls, layer: Any) -> "Reader":
        """The reader of a Conv2D, or, for a layer without a window, of a dense layer."""
        if not hasattr(layer, "kernel_size"):
            return cls()
        return cls(tuple(layer.kernel_size), tuple(layer.strides), tuple(layer.dilation_rate), layer.padding == "same")

    def output_size(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Positions of the output along every axis between batch and channels."""
        if not self.size:
            return input_shape[1:-1]
        return tuple(
            -(-length // stride) if self.same else (length - self._extent(axis)) // stride + 1
            for axis, (length, stride) in enumerate(zip(input_shape[1:-1], self.strides, strict=True))
        )

    def patches(self, values: Array, places: NDArray[np.int64]) -> Array:
        """What the kernel sees, one row per image and place.

        Args:
            values: the layer's input, shape (images, ..., channels).
            places: flat positions in the output, shape (images, places).

        Returns:
            Shape (images * places, window * channels), in the order of the kernel's axes but the last.
        """
        image = np.arange(len(values))[:, None]
        output = self.output_size(values.shape)
        index = np.unravel_index(places, output) if output else ()
        if not self.size:
            return np.asarray(values[(image, *index)]).reshape(places.size, -1)
        padded = np.pad(values, self._padding(values.shape, output))
        rows, columns = (
            place[..., None] * stride + np.arange(size) * step
            for place, stride, size, step in zip(index, self.strides, self.size, self.dilation, strict=True)
        )
        windows = padded[image[..., None, None], rows[..., :, None], columns[..., None, :]]
        return np.asarray(windows).reshape(places.size, -1)

    def _extent(self, axis: int) -> int:
        return (self.size[axis] - 1) * self.dilation[axis] + 1

    def _padding(self, shape: tuple[int, ...], output: tuple[int, ...]) -> list[tuple[int, int]]:
        padding = [(0, 0)]
        for axis, (length, places) in enumerate(zip(shape[1:-1], output, strict=True)):
            missing = max((places - 1) * self.strides[axis] + self._extent(axis) - length, 0) if self.same else 0
            padding.append((missing // 2, missing - missing // 2))
        return [*padding, (0, 0)]
