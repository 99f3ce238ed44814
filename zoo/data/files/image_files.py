"""Image files whose pixels are decoded when they are needed, and of which the first ones are kept."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from compress.errors import DataError, typed_line
from zoo.data.files.decoding import DECODE_ERRORS, GREY_MODES, Decoding, Pixels, check_readable
from zoo.data.files.paths import DataPath, packed, unpacked
from zoo.data.files.reading import content, readable, threads_for

_FILES_PER_TASK = 8
"""Of the thread pool: tasks of one file each would cost as much as small files, large ones leave threads idle."""

KEPT_BYTES = 300_000_000
"""Of decoded images that are kept in one process, for one split: the first ones that were asked for."""


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Image files that are decoded when they are asked for, by threads.

    What is asked for first is kept: every trial asks for the same batches and the same validation images.

    Attributes:
        paths: of the files.
        decoding: how they become pixels; with a size.
        channels: 1 where all files are of numbers, or are grey and no colours are asked for, else 3.
        values: the numbers that occur in files that were looked through; shared with what is taken from these.
        shared: pixels of some files, decoded for all processes of a machine; None where each process keeps its own.
    """

    paths: tuple[DataPath, ...]
    decoding: Decoding
    channels: int
    values: dict[DataPath, tuple[int, ...]] = field(default_factory=dict)
    shared: "SharedPixels | None" = None

    @classmethod
    def checked(cls, paths: Sequence[DataPath], decoding: Decoding) -> "ImageFiles":
        """Files of which all headers are looked at, but no pixels.

        Raises:
            DataError: names the files without a readable header, or of another size or kind.
        """
        sized = decoding.sized(paths)
        height, width = sized.size or (0, 0)
        grey = _all_grey(paths, decoding, (width, height)) and not decoding.colours
        # Workers may have another working directory.
        return cls(tuple(path.absolute() for path in paths), sized, 1 if grey else 3)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: height, width, channels."""
        height, width = self.decoding.size or (0, 0)
        return height, width, self.channels

    def decoded(self, numbers: Sequence[int]) -> Pixels:
        """Pixels (N, H, W, C), uint8, of the files at these numbers.

        Raises:
            DataError: a file that cannot be decoded, by its name.
        """
        pixels = self._decoded(numbers)
        if self.shared is not None:
            return pixels
        # In the order that they were asked for, whichever thread was done first.
        for number, image in zip(numbers, pixels, strict=True):
            if (len(self._kept) + 1) * image.nbytes > KEPT_BYTES:
                break
            if number not in self._kept:
                self._kept[number] = image.copy()
        return pixels

    def sharing(self, numbers: Sequence[int]) -> "ImageFiles":
        """The files, with the pixels of the first ones of these, as many as are kept, decoded for whoever gets them.

        Raises:
            DataError: a file that cannot be decoded, by its name.
        """
        first = numbers[: KEPT_BYTES // prod(self.shape)]
        rows = np.full(len(self.paths), -1)
        rows[first] = np.arange(len(first))
        return replace(self, shared=SharedPixels(rows, self._decoded(first)))

    def take(self, indices: Any) -> "ImageFiles":
        """The files at these numbers (N,)."""
        shared = None if self.shared is None else replace(self.shared, rows=self.shared.rows[np.asarray(indices)])
        return replace(self, paths=tuple(self.paths[index] for index in indices), shared=shared)

    def occurring(self) -> set[int]:
        """The numbers that occur in any file; each file is looked through once.

        Raises:
            DataError: names the files that cannot be decoded.
        """
        unknown, problems = [path for path in self.paths if path not in self.values], []
        for path, values in zip(unknown, self._threads.map(self._values_in, unknown), strict=True):
            if isinstance(values, DataError):
                problems.append(values)
            else:
                self.values[path] = values
        check_readable(problems, len(self.paths))
        return set().union(*(self.values[path] for path in self.paths))

    @property
    def digest(self) -> str:
        """SHA-256 of the files and of how they are decoded."""
        digest = hashlib.sha256(repr(self.decoding).encode())
        # Threads take longer than small files of this machine do.
        digests = map if threads_for(self.paths) is None else self._threads.map
        for one in digests(_file_digest, self.paths):
            digest.update(one)
        return digest.hexdigest()

    def _values_in(self, path: DataPath) -> tuple[int, ...] | DataError:
        try:
            pixels = self.decoding.image(path)
        except DataError as error:
            return error
        return tuple(np.flatnonzero(np.bincount(pixels.ravel(), minlength=1)).tolist())

    def _decoded(self, numbers: Sequence[int]) -> Pixels:
        pixels = np.empty((len(numbers), *self.shape), np.uint8)
        list(self._threads.map(partial(self._decode_some, numbers, pixels), range(0, len(numbers), _FILES_PER_TASK)))
        return pixels

    def _decode_some(self, numbers: Sequence[int], pixels: Pixels, start: int) -> None:
        """Fill pixels[start:start + _FILES_PER_TASK]."""
        for place, number in enumerate(numbers[start : start + _FILES_PER_TASK], start=start):
            image = self._kept.get(number) if self.shared is None else self.shared.of(number)
            pixels[place] = self.decoding.image(self.paths[number])[..., : self.channels] if image is None else image

    @cached_property
    def _kept(self) -> dict[int, Pixels]:
        return {}

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(threads_for(self.paths))

    def __reduce__(self) -> Any:
        # Without what is kept: each process reads its own.
        return _received, (packed(self.paths), self.decoding, self.channels, self.shared)


def _received(paths: bytes, decoding: Decoding, channels: int, shared: "SharedPixels | None") -> ImageFiles:
    return ImageFiles(unpacked(paths), decoding, channels, shared=shared)


def _file_digest(path: DataPath) -> bytes:
    return hashlib.sha256(content(path)).digest()


@dataclass(frozen=True, eq=False)
class SharedPixels:
    """Decoded pixels of some files, which processes of a machine map from one memory.

    Attributes:
        rows: where the pixels of each file are, (files,); -1 where they are not.
        pixels: (images, H, W, C), uint8.
    """

    rows: npt.NDArray[np.int64]
    pixels: Pixels

    def of(self, number: int) -> Pixels | None:
        """Pixels of the file at this number, None where they are not among these."""
        row = int(self.rows[number])
        return None if row < 0 else self.pixels[row]


def _all_grey(paths: Sequence[DataPath], decoding: Decoding, size: tuple[int, int]) -> bool:
    """Whether all files are grey, or of numbers, by their headers alone.

    Raises:
        DataError: names the files without a readable header, or of another kind, or of another size (width, height)
            where it matters.
    """
    grey, problems = True, []
    with ThreadPoolExecutor(threads_for(paths)) as pool:
        for path, header in zip(paths, pool.map(partial(_header, decoding=decoding), paths), strict=True):
            if isinstance(header, DataError):
                problems.append(header)
                continue
            mode, own = header
            grey = grey and (decoding.numbers or mode in GREY_MODES)
            if decoding.size is None and own != size:
                problems.append(
                    DataError(
                        f"expected images of one size, {size[0]}x{size[1]} as {paths[0]}; received "
                        f"{own[0]}x{own[1]} in {path}; give an image_size"
                    )
                )
    check_readable(problems, len(paths))
    return grey


def _header(path: DataPath, *, decoding: Decoding) -> tuple[str, tuple[int, int]] | DataError:
    """Mode and size (width, height) of an image."""
    problem = ""
    for most in (_HEADER_BYTES, None):
        try:
            with Image.open(readable(path, most)) as picture:
                decoding.check_mode(picture.mode, path)
                turned = decoding.upright and picture.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
                return picture.mode, picture.size[::-1] if turned else picture.size
        except DECODE_ERRORS as error:
            problem = typed_line(error)
        except DataError as error:
            return error
    return DataError(f"expected a readable image at {path}, received {problem}; replace or remove it")


_HEADER_BYTES = 2**16
"""Of a file at an address, in which nearly every header lies."""

_SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations by which height and width change places; files hold others, text among them, by mistake."""
