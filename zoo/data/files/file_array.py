"""What an array made of all images of a folder would be, while the images stay in their files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from zoo.data.files.decoding import Decoding, Pixels
from zoo.data.files.image_files import ImageFiles
from zoo.data.files.paths import DataPath
from zoo.tasks.stored import StoredTargets
from zoo.tasks.task import Array

Form = Callable[[Pixels], Array]
"""Makes images or targets (N, ...) of pixels (N, H, W, C), each of its own image alone."""


@dataclass(frozen=True, eq=False)
class FileArray(StoredTargets):
    """An array (N, ...) of images or targets, of which parts are decoded when they are indexed.

    Attributes:
        files: which hold them.
        form: what is made of pixels; None for pixels as they are.
    """

    files: ImageFiles
    form: Form | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""
        return (len(self), *self._one.shape[1:])

    @property
    def ndim(self) -> int:
        """Axes of the whole array."""
        return self._one.ndim

    @property
    def dtype(self) -> Any:
        """Of its values."""
        return self._one.dtype

    @property
    def nbytes(self) -> int:
        """What the whole array would take."""
        return prod(self.shape) * int(self.dtype.itemsize)

    def __len__(self) -> int:
        return len(self.files.paths)

    def __iter__(self) -> Iterator[Array]:
        for index in range(len(self)):
            yield self[index]

    def __getitem__(self, chosen: Any) -> Any:
        """Decode an image by its number, or several by a slice or an array of numbers.

        Raises:
            DataError: a file that cannot be decoded, by its name.
        """
        indices = np.arange(len(self))[chosen]
        made = self.formed(self.files.decoded(np.ravel(indices).tolist()))
        return made if np.ndim(indices) else made[0]

    def formed(self, pixels: Pixels) -> Array:
        """What is made of pixels of its files."""
        if self.form is None:
            return pixels
        return self.form(pixels) if len(pixels) else self._one[:0]

    def take(self, indices: Any) -> "FileArray":
        """The images at these numbers (N,), still in their files."""
        return FileArray(self.files.take(indices), self.form)

    def divided(self, counts: Sequence[int]) -> "list[FileArray]":
        """One after the other as many images as each count says."""
        ends = np.cumsum(counts)
        return [self.take(range(end - count, end)) for count, end in zip(counts, ends.tolist(), strict=True)]

    @property
    def distinct(self) -> Array:
        """Every value that occurs, once.

        Raises:
            DataError: names the files that cannot be decoded.
        """
        values = np.array(sorted(self.files.occurring()), np.uint8)
        return np.unique(self.formed(values.reshape(1, 1, -1, 1)))

    def place(self, value: int) -> str:
        """A file in which a class number occurs, for messages."""
        files = self.files
        return next((f" in {path}" for path in files.paths if value in files.values.get(path, ())), "")

    @cached_property
    def _one(self) -> Array:
        pixels = np.zeros((1, *self.files.shape), np.uint8)
        return pixels if self.form is None else self.form(pixels)

    def __reduce__(self) -> Any:
        return FileArray, (self.files, self.form)


def loaded(paths: Sequence[DataPath], decoding: Decoding, form: Form | None = None, *, in_files: bool) -> Any:
    """An array of images or targets, decoded, or left in their files until they are needed.

    form: what is made of pixels; None for pixels as they are.

    Raises:
        DataError: names the files that cannot be read, or are of another size.
    """
    if in_files:
        return FileArray(ImageFiles.checked(paths, decoding), form)
    pixels = decoding(paths)
    return pixels if form is None else form(pixels)


def decoded_bytes(paths: Sequence[DataPath], decoding: Decoding, per_pixel: float = 3) -> float:
    """What an array of these files takes, by the size of the first one, with so many bytes for each pixel."""
    return per_pixel * len(paths) * prod(decoding.sized(paths).size or (0, 0))
