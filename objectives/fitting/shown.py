"""Examples of data for Keras's fit in presentable form: images, and values as text or pictures."""

from typing import Any

import keras
import numpy as np

from objectives.fitting.arrays import Structure
from zoo.tasks.task import Answer, Array

_VALUES = 8
"""Most numbers of one example that are shown."""


def first_of(structure: Structure, count: int) -> Any:
    """The first ``count`` examples of every array or tensor, as arrays."""
    return keras.tree.map_structure(lambda values: np.asarray(values)[:count], structure)


def images_of(inputs: Structure) -> Array | None:
    """The first input that is images (N, H, W, C); None where none is."""
    return next((one for one in keras.tree.flatten(inputs) if one.ndim == 4), None)


def plain_answers(targets: Array, outputs: Array) -> tuple[list[Answer], list[Answer]]:
    """Targets and outputs (N, ...) of unknown meaning as text, or as pictures where they have the shape of images.

    Where targets are whole numbers and lack the outputs' last axis, they are labels: the largest output is shown.
    """
    classes = outputs.shape[-1]
    if np.issubdtype(targets.dtype, np.integer) and outputs.ndim == targets.ndim + 1 and classes > 1:
        span = (0.0, classes - 1.0)
        return _plain(targets, span), _plain(outputs.argmax(axis=-1), span)
    return _plain(targets), _plain(outputs)


def _plain(values: Array, span: tuple[float, float] | None = None) -> list[Answer]:
    """Values as text or pictures; ``span`` is the range of pixel values, None for the range of each image."""
    if values.ndim == 3:
        values = values[..., None]
    if values.ndim == 4:
        return [_pixels(one if one.shape[-1] == 3 else one[..., :1], span) for one in values]
    return [", ".join(f"{value:.3g}" for value in np.ravel(one)[:_VALUES]) for one in values]


def _pixels(image: Array, span: tuple[float, float] | None) -> Answer:
    """Values (H, W, C) as bytes."""
    low, high = span or (float(image.min()), float(image.max()))
    scaled = np.clip((image - low) * (255 / (high - low or 1)), 0, 255)
    return scaled.round().astype(np.uint8)
