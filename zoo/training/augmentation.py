"""Random changes to training images by Keras's augmentation layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import keras
import numpy as np

from compress.errors import ConfigError, typed_line
from zoo.data.batches import CropAndFlip
from zoo.data.dataset import Images, Targets
from zoo.tasks.keras_class import KerasClass, class_name, subclasses
from zoo.tasks.task import Task
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
        self._made, self._lock  # noqa: B018  to refuse what cannot be made before anything is trained

    def __reduce__(self) -> Any:
        # Without the layers: each process makes its own.
        return KerasAugmentation, (self.layers, self.first)

    @property
    def mixes(self) -> bool:
        """Whether labels become shares of classes."""
        return any(class_name(layer.name, augmentation_layers(), "augment") in MIXING for layer in self.layers)

    def __call__(
        self, images: Images, targets: Targets, task: Task, rng: np.random.Generator
    ) -> tuple[Images, Targets]:
        """Images (N, H, W, C) changed, and their targets: (N, classes) where labels are mixed, masks moved alike."""
        if self.first is not None:
            images, targets = self.first(images, targets, task, rng)
        given: dict[str, Any] = {"images": images.astype(np.float32)}
        key, form = ("labels", targets.dtype) if self.mixes else ("segmentation_masks", targets.dtype)
        if self.mixes:
            given[key] = np.eye(_classes(task), dtype=np.float32)[targets]
        elif task.moves:
            given[key] = targets[..., None]
        batch: Any = given if key in given else given["images"]
        for layer in self._made:
            seed = int(rng.integers(2**31))
            # Several threads make batches at once, and a layer has one random state for all of them.
            with self._lock:
                seed_random_states(random_states(layer), seed)
                batch = layer(batch, training=True)
        if key not in given:
            return keras.ops.convert_to_numpy(batch), targets
        changed = keras.ops.convert_to_numpy(batch[key])
        return keras.ops.convert_to_numpy(batch["images"]), changed if self.mixes else changed[..., 0].astype(form)

    def check(self, images: Images, targets: Targets, task: Task) -> None:
        """Try the layers on some images.

        Raises:
            ConfigError: they refuse them or their targets, or change their shape.
        """
        if self.first is not None:
            self.first.check(images, targets, task)
        if self.mixes and task.class_counts(targets) is None:
            raise ConfigError(f"augment: expected layers that mix no images for {task.name}, received MixUp or CutMix")
        if task.moves and targets.ndim != 3:
            raise ConfigError(
                f"augment.layers: expected none for {task.name}, whose targets are images that Keras's layers would "
                f"not move, received {', '.join(layer.name for layer in self.layers)}; crop and flip do"
            )
        self._check_edges(task)
        self._check_ranges(images)
        some = np.resize(images, (2, *images.shape[1:])), np.resize(targets, (2, *targets.shape[1:]))
        try:
            changed, _ = self(*some, task, np.random.default_rng(0))
        except Exception as error:  # Keras and TensorFlow raise errors of many types for shapes.
            raise ConfigError(
                f"augment: expected layers that take images of shape {images.shape[1:]}, received {typed_line(error)}"
            ) from error
        if changed.shape != some[0].shape:
            raise ConfigError(
                f"augment: expected images of shape {images.shape[1:]} as before, received {changed.shape[1:]}; "
                "change the options of the layer that resizes"
            )

    def _check_edges(self, task: Task) -> None:
        """Refuse layers that draw pixels of one value in at the edges of masks, where it would be a class."""
        for layer in self.layers if task.moves else ():
            name = class_name(layer.name, augmentation_layers(), "augment")
            if name == "RandomPerspective" or layer.options.get("fill_mode") == "constant":
                raise ConfigError(
                    f"augment.layers: expected none that fills edges with a constant for {task.name}, whose targets "
                    f"have nothing beyond theirs, received {name}; leave it out, or where it has fill_mode, set it to "
                    "reflect"
                )

    def _check_ranges(self, images: Images) -> None:
        """Refuse layers that cut pixels to another range than they have, or change them in its proportion."""
        low, high = float(np.min(images)), float(np.max(images))
        for layer in self._made:
            least, most = getattr(layer, "value_range", (low, high))
            too_wide = images.dtype != np.uint8 and high <= 1 < most
            if low < least or high > most or too_wide:
                raise ConfigError(
                    f"augment.layers: expected a value_range of {type(layer).__name__} that fits pixels of "
                    f"{images.dtype} from {low:g} to {high:g}, received {least:g} to {most:g}; give the option, such "
                    "as value_range: [0, 1]"
                )

    @cached_property
    def _made(self) -> Sequence[Any]:
        known = augmentation_layers()
        return [layer.make(known, "augment") for layer in self.layers]

    @cached_property
    def _lock(self) -> Lock:
        return Lock()


def _classes(task: Task) -> int:
    counts = task.class_counts(np.zeros(1, np.int64))
    return 0 if counts is None else len(counts)


def augmentation_layers() -> dict[str, Any]:
    """The layers of Keras that change images, by the names of their classes."""
    base = next(kind for kind in keras.layers.RandomFlip.__mro__ if kind.__name__ == "BaseImagePreprocessingLayer")
    return subclasses(keras.layers, base)
