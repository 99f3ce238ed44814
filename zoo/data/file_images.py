"""Images that stay in their files until they are needed: what an array of all of them would be."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from compress.errors import DataError, typed_line
from zoo.data.decoding import DECODE_ERRORS, GREY_MODES, Decoding, Pixels, check_readable

KEPT_BYTES = 400_000_000
"""Of decoded images that are kept in one process, for one split: the first ones that were asked for."""


@dataclass(frozen=True, eq=False)
class FileImages:
    """Image files as an array (N, H, W, C) uint8, of which parts are decoded when they are indexed.

    What is asked for first is kept: every trial asks for the same batches and the same validation images.

    Attributes:
        paths: of the files.
        decoding: how they become pixels; with a size.
        channels: 1 where all files are grey, else 3.
    """

    paths: tuple[Path, ...]
    decoding: Decoding
    channels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""
        height, width = self.decoding.size or (0, 0)
        return (len(self.paths), height, width, self.channels)

    @property
    def ndim(self) -> int:
        """Four axes."""
        return 4

    @property
    def dtype(self) -> Any:
        """8 bits a value."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Pixels]:
        for index in range(len(self)):
            yield self[index]

    def __getitem__(self, chosen: Any) -> Pixels:
        """Decode an image by its number, or several by a slice or an array of numbers.

        Raises:
            DataError: a file that cannot be decoded, by its name.
        """
        indices = np.arange(len(self))[chosen]
        images = np.empty((np.size(indices), *self.shape[1:]), np.uint8)
        numbers = np.ravel(indices).tolist()
        for place, image in enumerate(self._threads.map(self._image, numbers)):
            images[place] = image
            self._keep(numbers[place], image)
        return images if np.ndim(indices) else images[0]

    def take(self, indices: Any) -> "FileImages":
        """The images at these numbers (N,), still in their files."""
        return FileImages(tuple(self.paths[index] for index in indices), self.decoding, self.channels)

    def divided(self, counts: Sequence[int]) -> "list[FileImages]":
        """One after the other as many images as each count says."""
        ends = np.cumsum(counts)
        return [self.take(range(end - count, end)) for count, end in zip(counts, ends.tolist(), strict=True)]

    @property
    def digest(self) -> str:
        """SHA-256 of the files and of how they are decoded."""
        digest = hashlib.sha256(repr(self.decoding).encode())
        for path in self.paths:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def _image(self, index: int) -> Pixels:
        image = self._kept.get(index)
        return self.decoding.image(self.paths[index])[..., : self.channels] if image is None else image

    def _keep(self, index: int, image: Pixels) -> None:
        """In the order that they were asked for, whichever thread was done first."""
        if index not in self._kept and (len(self._kept) + 1) * image.nbytes <= KEPT_BYTES:
            self._kept[index] = image

    @cached_property
    def _kept(self) -> dict[int, Pixels]:
        return {}

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor()

    def __reduce__(self) -> Any:
        # Without what is kept: each process reads its own.
        return FileImages, (self.paths, self.decoding, self.channels)


def files_or_pixels(paths: Sequence[Path], decoding: Decoding, in_memory: float) -> "Pixels | FileImages":
    """All images decoded, or left in their files where they would take more memory than is allowed.

    in_memory: bytes.

    Raises:
        DataError: names the files that cannot be read, or are of another size.
    """
    sized = decoding.sized(paths)
    height, width = sized.size or (0, 0)
    if 3 * len(paths) * height * width <= in_memory:
        return decoding(paths)
    return FileImages(tuple(paths), sized, 1 if _all_grey(paths, decoding, (width, height)) else 3)


def _all_grey(paths: Sequence[Path], decoding: Decoding, size: tuple[int, int]) -> bool:
    """Whether all files are grey, by their headers alone; the images behind them are looked at when they are needed.

    Raises:
        DataError: names the files without a readable header, or of another size (width, height) where it matters.
    """
    grey, problems = True, []
    with ThreadPoolExecutor() as pool:
        for path, header in zip(paths, pool.map(partial(_header, upright=decoding.upright), paths), strict=True):
            if isinstance(header, DataError):
                problems.append(header)
                continue
            mode, own = header
            grey = grey and mode in GREY_MODES
            if decoding.size is None and own != size:
                problems.append(
                    DataError(
                        f"expected images of one size, {size[0]}x{size[1]} as {paths[0]}; received "
                        f"{own[0]}x{own[1]} in {path}; give an image_size"
                    )
                )
    check_readable(problems, len(paths))
    return grey


def _header(path: Path, *, upright: bool) -> tuple[str, tuple[int, int]] | DataError:
    """Mode and size (width, height) of an image."""
    try:
        with Image.open(path) as picture:
            turned = upright and picture.getexif().get(ExifTags.Base.Orientation, 1) >= _SIDEWAYS
            return picture.mode, picture.size[::-1] if turned else picture.size
    except DECODE_ERRORS as error:
        return DataError(f"expected a readable image at {path}, received {typed_line(error)}; replace or remove it")


_SIDEWAYS = 5
"""The least EXIF orientation by which height and width change places."""
