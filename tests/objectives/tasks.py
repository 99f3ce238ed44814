"""A small data set and a model for every task, drawn so that the model can learn it."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.image_to_image import ImageToImage
from zoo.tasks.kinds.multilabel import Multilabel
from zoo.tasks.kinds.regression import Regression
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.task import Array, Task

SIDE = 12


def _images(rng: np.random.Generator, count: int) -> Array:
    return rng.random((count, SIDE, SIDE, 3), np.float32)


def _bright(images: Array) -> Array:
    """Which channels of an image are brighter than usual, (N, 3)."""
    return images.mean(axis=(1, 2)) > 0.5


TARGETS: dict[Task, Callable[[Array], Array]] = {
    Classification(2): lambda images: _bright(images)[:, 0].astype(np.int64),
    Multilabel(): lambda images: _bright(images).astype(np.float32),
    Regression(): lambda images: images.mean(axis=(1, 2)),
    Segmentation(3, 9): lambda images: np.where(images.max(-1) < 0.4, 9, images.argmax(-1)).astype(np.int32),
    ImageToImage(): lambda images: (0.5 * images[:, :, ::-1] + 0.25).astype(np.float32),
}
"""Targets of images by task."""


def dataset(task: Task) -> ImageDataset:
    """Noise, 40 images to train on and 24 each to validate and test."""
    rng = np.random.default_rng(0)
    splits = []
    for count in (40, 24, 24):
        images = _images(rng, count)
        splits.append(Split(images, TARGETS[task](images)))
    train, validation, test = splits
    return ImageDataset("noise", train, validation, test, task, Normalization(1.0, (0.5,) * 3, (0.3,) * 3))


def model(task: Task, *, logits: bool = False, unit: bool = False) -> keras.Model:
    """Two convolutions with batch normalization between them, and the outputs that the task asks for.

    logits: whether classes are given as logits; unit: whether one unit stands for two classes.
    """
    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", use_bias=False, name="conv1")(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="bn1")(x))
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv2")(x)
    if not isinstance(task, Segmentation | ImageToImage):
        x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, _head(task, logits, unit)(x), name="net")


def _head(task: Task, logits: bool, unit: bool) -> Any:
    if isinstance(task, Classification) and unit:
        return keras.layers.Dense(1, None if logits else "sigmoid", name="head")
    if isinstance(task, Classification):
        return keras.layers.Dense(2, None if logits else "softmax", name="head")
    if isinstance(task, Multilabel):
        return keras.layers.Dense(3, None if logits else "sigmoid", name="head")
    if isinstance(task, Regression):
        return keras.layers.Dense(3, name="head")
    if unit:
        return keras.layers.Conv2D(1, 1, activation=None if logits else "sigmoid", name="head")
    activation = None if logits or isinstance(task, ImageToImage) else "softmax"
    return keras.layers.Conv2D(3, 1, activation=activation, name="head")
