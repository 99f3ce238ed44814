"""Batches gathered by index: the data set is never copied, only the batch is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from compress.errors import ConfigError, DataError
from zoo.data.dataset import Images, Normalization, Split, Targets
from zoo.data.files.file_array import FileArray
from zoo.tasks.task import Task

Indices = npt.NDArray[np.int64]
Augment = Callable[[Images, Targets], tuple[Images, Targets]]


class Augmentation(Protocol):
    """Random changes to the raw images of a training batch."""

    @property
    def mixes(self) -> bool:
        """Whether labels become shares of classes."""

    def __call__(
        self, images: Images, targets: Targets, task: Task, rng: np.random.Generator
    ) -> tuple[Images, Targets]:
        """Images (N, H, W, C) changed, and their targets with them; (N, classes) where labels are mixed."""

    def check(self, images: Images, targets: Targets, task: Task) -> None:
        """Raise ConfigError where such images and targets cannot be changed so."""


def epoch_indices(n: int, batch_size: int, rng: np.random.Generator) -> list[Indices]:
    """Divide a random permutation of 0 to n - 1 into ceil(n / batch_size) batches of indices.

    Batch sizes differ by at most one, so that no small last batch upsets batch normalisation.
    """
    return np.array_split(rng.permutation(n), ceil(n / batch_size))


def whole_batches(count: int, batch_size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Yield random, disjoint index arrays into `count` images, each of min(batch_size, count) indices.

    An incomplete last batch is dropped: batches of one size are traced once, and averages over them weigh every image
    the same.
    """
    order = rng.permutation(count)
    size = min(batch_size, count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def gather(
    split: Split, indices: Indices, normalization: Normalization, augment: Augment | None = None
) -> tuple[npt.NDArray[np.float32], Targets]:
    """Copy out the images at `indices`: (x, y), (B, H, W, C) or (B, steps, C) float32, normalised, and (B, ...).

    augment: applied to the raw images, before normalisation, and their targets.
    """
    images, targets = split.at(indices)
    if augment is not None:
        images, targets = augment(images, targets)
    return normalization(images), targets


@dataclass(frozen=True)
class CropAndFlip:
    """RandomCrop after zero padding of `padding` pixels on every side, then a horizontal flip of half the images.

    Raises DataError for a negative padding.
    """

    padding: int
    flip: bool

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise DataError(f"expected a padding of at least 0 pixels, received {self.padding}")

    @property
    def mixes(self) -> bool:
        """Never: each image keeps its label."""
        return False

    def check(self, images: Images, targets: Targets, task: Task) -> None:
        """Refuse padding where targets are images, which would have to say what black means, or beyond all images.

        Raises:
            ConfigError: there is some, or as much as the images have pixels.
        """
        smaller = min(images.shape[1:3])
        if self.padding >= smaller:
            raise ConfigError(
                f"augment.padding: expected less than the images' smaller side of {smaller} pixels, for crops to show "
                f"some of them, received {self.padding}"
            )
        if task.moves and self.padding:
            raise ConfigError(
                f"augment.padding: expected 0 for {task.name}, whose targets have nothing beyond their edges, received "
                f"{self.padding}"
            )

    def __call__(
        self, images: Images, targets: Targets, task: Task, rng: np.random.Generator
    ) -> tuple[Images, Targets]:
        """Return new images of the same shape (N, H, W, C) and type, cropped and flipped independently, with targets.

        Padding is black in raw pixels: augment before normalising. Targets that are images are flipped with theirs.
        """
        count, height, width, _ = images.shape
        pad = self.padding
        padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        rows = rng.integers(0, 2 * pad, (count, 1), endpoint=True) + np.arange(height)
        columns = rng.integers(0, 2 * pad, (count, 1), endpoint=True) + np.arange(width)
        if self.flip:
            flipped = rng.random((count, 1)) < 0.5
            columns = np.where(flipped, columns[:, ::-1], columns)
            if task.moves:
                across = flipped.reshape(-1, *[1] * (targets.ndim - 1))
                targets = np.where(across, targets[:, :, ::-1], targets)
        # One gather of (N, H, 1) rows and (N, 1, W) columns: crop and flip without a loop over images.
        cropped: Images = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
        return cropped, targets


def evaluated_at_once(split: Split, most: int) -> int:
    """Images of a batch that is not trained on: at most so many, and fewer where they are large.

    A network holds tens of numbers of each pixel, a U-Net about a hundred. All batches are as large as the last one, or
    nearly so: of 40 images at most 32 at once they have 20.
    """
    most = max(1, min(most, _PIXELS // int(prod(split.images.shape[1:-1]))))
    return ceil(len(split) / ceil(len(split) / most))


def evaluation_batches(split: Split, most: int, normalization: Normalization) -> Iterator[tuple[Images, Targets]]:
    """Normalized images and targets of all images of a split, in order.

    Every batch has as many images, so that networks are traced once: the last one is filled up with images that have
    no targets, whose outputs are to be dropped.
    """
    size = evaluated_at_once(split, most)
    for start in range(0, len(split), size):
        indices = np.arange(start, min(start + size, len(split)))
        images, targets = gather(split, np.resize(indices, size), normalization)
        yield images, targets[: len(indices)]


_PIXELS = 2**22
"""Of a batch that is not trained on: 512 images of 90 by 90."""


class GatheredBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of a split for Keras, which calls them in threads of its own and hides what they raise.

    Of images in files several batches are made at once, in their order all the same: while some are decoded, others are
    normalized and handed over.

    Attributes:
        failure: what the last batch that could not be read raised.
    """

    def __init__(self, split: Split, normalization: Normalization) -> None:
        super().__init__(workers=_WORKERS if isinstance(split.images, FileArray) else 1, max_queue_size=_WORKERS - 1)
        self._split, self._normalization = split, normalization
        self.failure: DataError | None = None

    def _gathered(
        self, indices: Indices, augment: Augment | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        try:
            return gather(self._split, indices, self._normalization, augment)
        except DataError as error:
            self.failure = error
            raise


_WORKERS = 4
"""Batches of images in files that are made at once, or wait to be trained on."""


@contextmanager
def own_failures(*batches: GatheredBatches) -> Iterator[None]:
    """Raise what batches raised in place of TensorFlow's error around it.

    Raises:
        DataError: a file that cannot be decoded.
    """
    try:
        yield
    except Exception as error:  # TensorFlow raises errors of many types for what a thread of its own met.
        failure = next((one.failure for one in batches if one.failure is not None), None)
        if failure is None:
            raise
        raise failure from error


class ImageBatches(GatheredBatches):
    """Shuffled training batches for `fit`, the same for the same seed and epoch whatever thread asks for them.

    Pass `shuffle=False` to `fit`: the order is made here. `epoch` is the first one, for a run that goes on. `task` is
    what the targets are for, which augmentation may have to change.
    """

    def __init__(
        self,
        split: Split,
        normalization: Normalization,
        batch_size: int,
        *,
        seed: int,
        task: Task,
        augmentation: Augmentation | None = None,
        epoch: int = 0,
    ) -> None:
        super().__init__(split, normalization)
        if augmentation is not None and split.images.ndim != 4:
            raise DataError(
                f"expected images to augment, of shape (N, height, width, channels), received series of shape "
                f"{split.images.shape}; set augment: null"
            )
        self._augmentation, self._task = augmentation, task
        self._batch_size, self._seed = batch_size, seed
        self._start_epoch(epoch)

    def _start_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        rng = np.random.default_rng((self._seed, epoch))
        self._indices = epoch_indices(len(self._split), self._batch_size, rng)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], Targets]:
        return self._gathered(self._indices[index], self._augment(index))

    def _augment(self, index: int) -> Augment | None:
        augmentation = self._augmentation
        if augmentation is None:
            return None
        # A generator for each batch: Keras reads the first batches of an epoch more than once.
        rng = np.random.default_rng((self._seed, self._epoch, index))
        return lambda images, targets: augmentation(images, targets, self._task, rng)

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order; called by Keras."""
        self._start_epoch(self._epoch + 1)


class OrderedBatches(GatheredBatches):
    """Every image once, in order and unaugmented, for `evaluate` and `predict`."""

    def __init__(self, split: Split, normalization: Normalization, batch_size: int) -> None:
        super().__init__(split, normalization)
        self._batch_size = batch_size

    def __len__(self) -> int:
        return ceil(len(self._split) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], Targets]:
        start = index * self._batch_size
        indices = np.arange(start, min(start + self._batch_size, len(self._split)))
        return self._gathered(indices)
