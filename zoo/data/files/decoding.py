"""Image files decoded into one array, by threads."""

import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from compress.disk.declared_size import check_declared
from compress.errors import DataError, typed_line
from zoo.data.files.paths import DataPath
from zoo.data.files.reading import readable, threads_for

# Files per task of the thread pool: a task per 32x32 file would cost more than its decoding.
_FILES_PER_TASK = 128
# Files that one error names.
NAMED = 10
# From here on Pillow takes a file for a decompression bomb.
_MOST_PIXELS = 89_478_485
GREY_MODES = ("1", "L", "LA")
_DEEP_MODES = ("I", "F")
_NUMBER_MODES = ("1", "L", "P")
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Decoding:
    """How image files become pixels.

    Attributes:
        size: (height, width) to bring images to; None where all have one.
        upright: whether images are turned as their EXIF orientation says; Keras leaves them as they are stored.
        numbers: whether pixels are class numbers, in one channel, which are never mixed.
        cut: whether images of another shape lose their edges, instead of being stretched.
        colours: whether images have three channels, for a model that takes these, where all are grey as well.
    """

    size: tuple[int, int] | None = None
    upright: bool = False
    numbers: bool = False
    cut: bool = False
    colours: bool = False

    def __call__(self, paths: Sequence[DataPath]) -> Pixels:
        """All images, (N, H, W, 3) uint8; (N, H, W, 1) of numbers, or where all are grey and no colours are asked for.

        Raises:
            DataError: names the files that are corrupt or of another size, or says that there is no memory for all.
        """
        reference = None if self.size else self._first_readable(paths)
        height, width = self.size or self.open(reference or paths[0]).size[::-1]
        check_size(len(paths), (width, height))
        images = np.empty((len(paths), height, width, 1 if self.numbers else 3), np.uint8)
        decode = partial(self._decode_some, paths, images, reference)
        with ThreadPoolExecutor(threads_for(paths)) as pool:
            try:
                tasks = list(pool.map(decode, range(0, len(paths), _FILES_PER_TASK)))
            finally:
                pool.shutdown(cancel_futures=True)
        check_readable([problem for _, problems in tasks for problem in problems], len(paths))
        grey = not self.colours and all(grey for grey, _ in tasks)
        return np.ascontiguousarray(images[..., :1]) if grey else images

    def image(self, path: DataPath) -> Pixels:
        """The pixels of one file, (H, W, 3) or (H, W, 1) of numbers; the size is given.

        Raises:
            DataError: it cannot be decoded.
        """
        height, width = self.size or (0, 0)
        return self._fitted(self.open(path), (width, height), path, None)

    def sized(self, paths: Sequence[DataPath]) -> "Decoding":
        """This decoding with the size of all images: that which is asked for, or that of the first readable file."""
        if self.size is not None:
            return self
        width, height = self.open(self._first_readable(paths)).size
        return replace(self, size=(height, width))

    def open(self, path: DataPath) -> Image.Image:
        """Open and decode, so that a truncated file is found here, by its name.

        Raises:
            DataError: it cannot be decoded, or has pixels of another kind.
        """
        try:
            with Image.open(readable(path)) as picture:
                picture.load()
                mode = picture.mode
                if self.upright:
                    ImageOps.exif_transpose(picture, in_place=True)
        except DECODE_ERRORS as error:
            raise DataError(
                f"expected a readable image at {path}, received {typed_line(error)}; replace or remove it"
            ) from error
        self.check_mode(mode, path)
        return picture

    def check_mode(self, mode: str, path: DataPath) -> None:
        """Refuse pixels of another kind.

        Raises:
            DataError: more than 8 bits a channel, or colours where class numbers belong.
        """
        if mode.startswith(_DEEP_MODES):
            raise DataError(f"expected an image of 8 bits a channel at {path}, received mode {mode}; convert it")
        if self.numbers and mode not in _NUMBER_MODES:
            raise DataError(
                f"expected a mask of class numbers, in one channel, at {path}, received mode {mode}; write the number "
                "of each pixel's class"
            )

    def _first_readable(self, paths: Sequence[DataPath]) -> DataPath:
        """The file whose size all others must have; the first file where none is readable."""
        for path in paths:
            try:
                self.open(path)
            except DataError:  # Told with all others like it.
                continue
            return path
        return paths[0]

    def _decode_some(
        self, paths: Sequence[DataPath], images: Pixels, reference: DataPath | None, start: int
    ) -> tuple[bool, list[DataError]]:
        """Fill images[start:start + _FILES_PER_TASK]; returns whether all are grey, and what is wrong with some.

        reference: the file that gave the size, None to bring images to one.
        """
        grey, problems = True, []
        size = (images.shape[2], images.shape[1])
        for index, path in enumerate(paths[start : start + _FILES_PER_TASK], start=start):
            try:
                picture = self.open(path)
                images[index] = self._fitted(picture, size, path, reference)
            except DataError as error:
                problems.append(error)
            else:
                grey = grey and (self.numbers or picture.mode in GREY_MODES)
        return grey, problems

    def _fitted(
        self, picture: Image.Image, size: tuple[int, int], path: DataPath, reference: DataPath | None
    ) -> Pixels:
        """Pixels of a decoded picture, of this size (width, height)."""
        # Of a palette's image the numbers are the places in the palette.
        converted = picture if self.numbers or picture.mode == "RGB" else picture.convert("RGB")
        if reference is not None and converted.size != size:
            raise DataError(
                f"expected images of one size, {size[0]}x{size[1]} as {reference}; received "
                f"{converted.size[0]}x{converted.size[1]} in {path}; give an image_size"
            )
        if converted.size == size:
            pass  # Pillow would copy it.
        elif self.cut:
            converted = ImageOps.fit(converted, size, Image.Resampling.BICUBIC)
        else:
            converted = converted.resize(size, Image.Resampling.NEAREST if self.numbers else Image.Resampling.BILINEAR)
        pixels = np.asarray(converted, np.uint8)
        return pixels[..., None] if self.numbers else pixels


def check_size(count: int, size: tuple[int, int]) -> None:
    """Refuse images of this size (width, height) that are each, or all together, too large to decode."""
    width, height = size
    if width * height > _MOST_PIXELS:
        raise DataError(
            f"expected images of at most {_MOST_PIXELS:,} pixels, received {height}x{width} (height x width); "
            "give a smaller image_size"
        )
    check_declared(
        3 * count * width * height,
        None,
        f"{count} images",
        lambda line: DataError(f"{line} for {height}x{width} pixels each; give a smaller image_size, or fewer images"),
    )


def check_readable(problems: list[DataError], count: int) -> None:
    """Name all files that cannot be used at once, so that they need not be found run by run."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        named = " | ".join(str(problem) for problem in problems[:NAMED])
        more = f" | and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise DataError(f"{len(problems)} of {count} image files cannot be used: {named}{more}")
