"""Random changes to training images by Keras's augmentation layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from compress.errors import ConfigError, typed_line
from zoo.data.batches import CropAndFlip
from zoo.data.dataset import Images
from zoo.training.keras_class import KerasClass, class_name, subclasses
from zoo.training.random_states import random_states, seed_random_states

MIXING = ("MixUp", "CutMix")
"""Layers that mix images of a batch, and their labels with them."""


@dataclass(frozen=True)
class KerasAugmentation:
    """Augmentation layers of `keras.layers`, one after the other, on raw images.

    Attributes:
        layers: by name and options.
        first: what comes before them; None for nothing.

    Raises:
        ConfigError: a name that is none, or options that the layer refuses.
    """

    layers: tuple[KerasClass, ...]
    first: CropAndFlip | None = None

    def __post_init__(self) -> None:
        self._made  # noqa: B018  to refuse what cannot be made before anything is trained

    def __reduce__(self) -> Any:
        # Without the layers: each process makes its own.
        return KerasAugmentation, (self.layers, self.first)

    @property
    def mixes(self) -> bool:
        """Whether labels become shares of classes."""
        return any(class_name(layer.name, augmentation_layers(), "augment") in MIXING for layer in self.layers)

    def __call__(self, images: Images, labels: Any, classes: int, rng: np.random.Generator) -> tuple[Images, Any]:
        """Images (N, H, W, C) changed, and their labels (N,), or (N, classes) where they are mixed."""
        if self.first is not None:
            images, _ = self.first(images, labels, classes, rng)
        batch: Any = images.astype(np.float32)
        if self.mixes:
            batch = {"images": batch, "labels": np.eye(classes, dtype=np.float32)[labels]}
        for layer in self._made:
            seed_random_states(random_states(layer), int(rng.integers(2**31)))
            batch = layer(batch, training=True)
        if not self.mixes:
            return keras.ops.convert_to_numpy(batch), labels
        return keras.ops.convert_to_numpy(batch["images"]), keras.ops.convert_to_numpy(batch["labels"])

    def check(self, images: Images, classes: int) -> None:
        """Try the layers on some images.

        Raises:
            ConfigError: they refuse them, or change their shape.
        """
        some = np.resize(images, (2, *images.shape[1:]))
        try:
            changed, _ = self(some, np.zeros(2, np.int64), classes, np.random.default_rng(0))
        except Exception as error:  # Keras and TensorFlow raise errors of many types for shapes.
            raise ConfigError(
                f"augment: expected layers that take images of shape {images.shape[1:]}, received {typed_line(error)}"
            ) from error
        if changed.shape != some.shape:
            raise ConfigError(
                f"augment: expected images of shape {some.shape[1:]} as before, received {changed.shape[1:]}; "
                "change the options of the layer that resizes"
            )

    @cached_property
    def _made(self) -> Sequence[Any]:
        known = augmentation_layers()
        return [layer.make(known, "augment") for layer in self.layers]


def augmentation_layers() -> dict[str, Any]:
    """The layers of Keras that change images, by the names of their classes."""
    base = next(kind for kind in keras.layers.RandomFlip.__mro__ if kind.__name__ == "BaseImagePreprocessingLayer")
    return subclasses(keras.layers, base)
