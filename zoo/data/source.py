"""What a data source hands over before the validation split and the normalization are made."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from compress.errors import DataError, typed_line
from zoo.data.dataset import Split


@dataclass(frozen=True, eq=False)
class SourceData:
    """train and test as the source has them (test None: none of its own); class_names: the class of each label.

    scale: the pixel value that stands for 1; None takes 255 for uint8 and 1 for float32.
    """

    name: str
    train: Split
    test: Split | None
    class_names: tuple[str, ...]
    scale: float | None = None


def as_split(images: Any, labels: Any, what: str) -> Split:
    """Turn arrays in Keras's convention into a Split; `what` names them in messages.

    images: (N, H, W) or (N, H, W, C), uint8, other integers within 0 to 255, or floats; grey images get a channel.
    labels: (N,) or (N, 1) integers. Raises DataError for anything else.
    """
    pixels, classes = _as_array(images, f"{what} images"), _as_array(labels, f"{what} labels")
    if classes.ndim == 2 and classes.shape[1] == 1:
        classes = classes[:, 0]
    if classes.ndim != 1 or not np.issubdtype(classes.dtype, np.integer):
        raise DataError(
            f"expected integer labels of shape (N,) in {what}, received {classes.dtype} of shape {classes.shape}; "
            "turn one-hot labels into class numbers with argmax"
        )
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    try:
        return Split(_as_pixels(pixels), classes.astype(np.int64))
    except DataError as error:
        raise DataError(f"{what}: {error}") from error


def _as_array(values: Any, what: str) -> Any:
    try:
        return np.asarray(values)
    except Exception as error:  # Lists of unequal lengths, and whatever a user's own type raises.
        raise DataError(f"expected an array as {what}, received {typed_line(error)}") from error


def _as_pixels(images: Any) -> Any:
    if np.issubdtype(images.dtype, np.floating):
        return images.astype(np.float32, copy=False)
    if np.issubdtype(images.dtype, np.integer) and images.dtype != np.uint8 and images.size:
        low, high = int(images.min()), int(images.max())
        if low < 0 or high > 255:
            raise DataError(f"expected integer pixels from 0 to 255, received {low} to {high}; convert to float")
        return images.astype(np.uint8)
    return images


def numbered_classes(*splits: Split) -> tuple[str, ...]:
    """Class names "0", "1", ... up to the largest label of the splits."""
    return tuple(str(label) for label in range(max(int(split.labels.max()) for split in splits) + 1))
