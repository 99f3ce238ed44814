"""Image data sets as arrays, which Ray workers map read-only, so that nothing writes into them, or in their files."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from compress.errors import DataError, typed_line
from zoo.data.files.file_array import FileArray
from zoo.tasks.own_task import OwnTask
from zoo.tasks.task import Task

Images: TypeAlias = Any
"""An array, or `FileArray`, which decodes what is indexed."""
Targets: TypeAlias = Any
"""An array, or, of tasks whose targets are images, a `FileArray`."""

# Values of images per step when statistics are summed: bounds the float64 copy.
_CHUNK = 4_000_000
# Values per step when images are normalized: a megabyte of float32.
_CACHED = 262_144


@dataclass(frozen=True, eq=False)
class Split:
    """images: (N, H, W, C), or series (N, steps, C), uint8 or float32, unnormalised; targets: (N, ...) of the task.

    Of a classifier, targets are class numbers (N,), int64. Raises DataError otherwise.
    """

    images: Images
    targets: Targets

    def __post_init__(self) -> None:
        images, targets = self.images, self.targets
        if images.ndim not in (3, 4) or 0 in images.shape:
            raise DataError(
                "expected images of shape (N, height, width, channels), or series of shape (N, steps, channels), none "
                f"0; received {images.shape}"
            )
        if images.dtype not in (np.uint8, np.float32):
            raise DataError(f"expected uint8 or float32 images, received {images.dtype}; convert them")
        if targets.dtype.kind not in "iuf" or targets.shape[:1] != images.shape[:1]:
            raise DataError(
                f"expected numbers as targets of shape {images.shape[:1]} or {(*images.shape[:1], '...')}, one for "
                f"each image; received {targets.dtype} of shape {targets.shape}"
            )
        if images.dtype == np.float32 and not np.isfinite(images).all():
            broken = int(np.flatnonzero(~np.isfinite(images).all(axis=tuple(range(1, images.ndim))))[0])
            raise DataError(f"expected finite pixel values, received NaN or infinity in image {broken}; remove it")

    def __len__(self) -> int:
        return len(self.images)

    def at(self, indices: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Images (B, ...) and targets (B, ...) at some numbers (B,), copied out or decoded.

        Raises:
            DataError: a file that cannot be decoded, by its name.
        """
        images, targets = self.images, self.targets
        if self._is_of_one_file:
            pixels = images.files.decoded(np.asarray(indices).tolist())
            return images.formed(pixels), targets.formed(pixels)
        return images[indices], targets[indices]

    def take(self, indices: Any) -> "Split":
        """The part of the split at these numbers (N,); what is in files stays there."""
        images, targets = (
            part.take(indices) if isinstance(part, FileArray) else part[indices] for part in (self.images, self.targets)
        )
        if self._is_of_one_file:
            targets = replace(targets, files=images.files)
        return Split(images, targets)

    def sharing(self, numbers: npt.NDArray[np.int64]) -> "Split":
        """The split, with the files at these numbers (M,) decoded, as many as are kept; arrays as they are.

        Raises:
            DataError: a file that cannot be decoded, by its name.
        """
        images, targets = (
            replace(part, files=part.files.sharing(numbers.tolist())) if isinstance(part, FileArray) else part
            for part in (self.images, self.targets)
        )
        return Split(images, replace(targets, files=images.files) if self._is_of_one_file else targets)

    def decoded(self) -> "Split":
        """The split with all images and targets in memory.

        Raises:
            DataError: a file that cannot be decoded, by its name.
        """
        return Split(*self.at(np.arange(len(self)))) if isinstance(self.images, FileArray) else self

    @property
    def _is_of_one_file(self) -> bool:
        """Whether an image and its target are made of the same file, which is then decoded once."""
        images, targets = self.images, self.targets
        return isinstance(images, FileArray) and isinstance(targets, FileArray) and images.files is targets.files


@dataclass(frozen=True)
class Normalization:
    """(images / scale - mean) / std per channel, as float32. DataError for a scale or SD that is not positive."""

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        values = np.array([self.scale, *self.mean, *self.std])
        if not self.mean or len(self.mean) != len(self.std) or not np.isfinite(values).all():
            raise DataError(
                "expected a finite scale and as many finite means as standard deviations, "
                f"received scale {self.scale}, mean {self.mean}, std {self.std}"
            )
        if min(self.scale, *self.std) <= 0:
            raise DataError(
                f"expected a positive scale and standard deviations, received {self.scale} and {self.std}; "
                "a channel that never changes has standard deviation 0: give a normalization, or drop the channel"
            )

    def __call__(self, images: Images) -> npt.NDArray[np.float32]:
        """Normalise images (..., C) into a new float32 array; raises DataError unless C is the number of means."""
        if images.shape[-1] != len(self.mean):
            raise DataError(f"expected images of {len(self.mean)} channels, as many as means; received {images.shape}")
        out = np.empty(images.shape, np.float32)
        # Whole rows of pixels at once: numpy works through three channels slowly.
        width = images.shape[-2] if images.ndim > 1 else 1
        rows, given = (array.reshape(-1, width * len(self.mean)) for array in (out, images))
        mean, std = (np.tile(np.asarray(values, np.float32), width) for values in (self.mean, self.std))
        # As many rows as the processor's cache holds through all of it.
        step = max(1, _CACHED // rows.shape[1])
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            np.divide(given[start : start + step], np.float32(self.scale), out=part, dtype=np.float32)
            part -= mean
            part /= std
        return out

    @classmethod
    def fit(cls, images: Images, scale: float) -> "Normalization":
        """Mean and population SD of each channel, the last axis, of images or series after division by `scale`."""
        step, axes = max(1, _CHUNK // prod(images.shape[1:])), tuple(range(images.ndim - 1))
        chunks, pixels = range(0, len(images), step), prod(images.shape[:-1])
        mean = sum(images[i : i + step].sum(axis=axes, dtype=np.float64) for i in chunks) / pixels
        squares = sum(((images[i : i + step] - mean) ** 2).sum(axis=axes) for i in chunks)
        return cls(scale, tuple((mean / scale).tolist()), tuple((np.sqrt(squares / pixels) / scale).tolist()))


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Three disjoint splits of images of one shape, and the task that their targets are for.

    Raises DataError otherwise.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    task: Task
    normalization: Normalization

    def __post_init__(self) -> None:
        for part, split in self.parts.items():
            self._check(part, split)
        if len(self.normalization.mean) != self.image_shape[-1]:
            raise DataError(
                f"expected a normalization of {self.image_shape[-1]} channels for data set {self.name!r}, "
                f"received means {self.normalization.mean}"
            )

    def _check(self, part: str, split: Split) -> None:
        self.task.check_values(split.targets, part, self.name)
        if split.images.shape[1:] != self.image_shape:
            raise DataError(
                f"expected {part} images of shape {self.image_shape} in data set {self.name!r}, as in training; "
                f"received {split.images.shape[1:]}"
            )
        if split.images.dtype != self.train.images.dtype:
            raise DataError(
                f"expected {part} images of {self.train.images.dtype} in data set {self.name!r}, as in training, for "
                f"one normalization; received {split.images.dtype}; convert them to the same values and type"
            )

    @property
    def parts(self) -> dict[str, Split]:
        """The splits by name."""
        return {"training": self.train, "validation": self.validation, "test": self.test}

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width, channels) of every image, or (steps, channels) of every series."""
        return tuple(self.train.images.shape[1:])

    @property
    def image_size(self) -> tuple[int, ...]:
        """Height and width of every image, or steps of every series."""
        return self.image_shape[:-1]

    @property
    def is_series(self) -> bool:
        """Whether it holds series, (N, steps, channels), which are no images."""
        return bool(self.train.images.ndim == 3)


Data = ImageDataset | OwnTask
"""What models are trained and scored on: images with their targets, or a task of the user's own, which has its data."""


def takes_series(model: Any) -> bool:
    """Whether the Keras model takes series, (N, steps, channels), as Conv1D does, and no images."""
    return len(model.inputs) == 1 and len(model.inputs[0].shape) == 3


def takes_colours(model: Any) -> bool:
    """Whether the Keras model takes images of three channels."""
    return len(model.inputs) == 1 and len(model.inputs[0].shape) == 4 and model.inputs[0].shape[-1] == 3


def check_model_fits(dataset: ImageDataset, model: Any) -> None:
    """Raise DataError unless the Keras model takes the data set's images and gives what the task asks for.

    A model whose height, width or number of steps is None takes any.
    """
    if len(model.inputs) != 1:
        names = ", ".join(tensor.name for tensor in model.inputs)
        raise DataError(
            f"expected a model with one input for the images of data set {dataset.name!r}, received the inputs {names} "
            f"of {model.name!r}; give it all of them by the task compiled or outputs"
        )
    expected, received = tuple(model.input_shape[1:]), dataset.image_shape
    fits = len(expected) == len(received)
    if not fits or any(e not in (None, r) for e, r in zip(expected, received, strict=True)):
        raise DataError(
            f"expected images of the model's input shape {expected}, received {received} from data set "
            f"{dataset.name!r}; give an image_size or another model"
        )
    dataset.task.check_model(_at_size(model, dataset), dataset.train.targets, dataset.name)


def _at_size(model: Any, dataset: ImageDataset) -> Any:
    """The model for images of the data set's size, where it takes any, so that its outputs have a size, too."""
    if None not in model.input_shape[1:]:
        return model
    import keras

    inputs = keras.Input(dataset.image_shape)
    try:
        # Whether sizes go together, as where layers are joined, Keras finds out when it computes.
        model(np.zeros((1, *dataset.image_shape), np.float32), training=False)
        return keras.Model(inputs, model(inputs), name=model.name)
    except Exception as error:  # Keras and TensorFlow raise errors of many types for shapes.
        raise DataError(
            f"expected images of a size that model {model.name!r} can compute, received {dataset.image_shape} from "
            f"data set {dataset.name!r}: {typed_line(error)}; give another image_size"
        ) from error
