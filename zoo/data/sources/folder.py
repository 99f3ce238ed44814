"""A folder of images: `train/<class>/*` with optional `validation` and `test` beside it, or `<class>/*` directly.

Classes in alphabetical order are labels 0, 1, ...; every image file must decode.
"""

import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from compress.disk.declared_size import check_declared
from compress.errors import DataError, typed_line
from zoo.data.dataset import Split
from zoo.data.folder_files import ClassFiles, folder_files
from zoo.data.source import SourceData, Wanted, data_source, print_warning

# Files per task of the thread pool: a task per 32x32 file would cost more than its decoding.
_FILES_PER_TASK = 128
# Files that one error names.
_NAMED = 10
# From here on Pillow takes a file for a decompression bomb.
_MOST_PIXELS = 89_478_485
_GREY_MODES = ("1", "L", "LA")
_DEEP_MODES = ("I", "F")
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)

Pixels = npt.NDArray[np.uint8]
Read = Callable[[Path], Image.Image]


@data_source("an existing image folder", lambda source: Path(source).is_dir(), resizes=True)
def read_folder(wanted: Wanted) -> SourceData:
    """The images of a folder. Raises DataError where `folder` does."""
    return folder(wanted.path, wanted.image_size, upright=wanted.exif_orientation, warn=wanted.warn)


def folder(
    root: Path,
    image_size: tuple[int, int] | None = None,
    *,
    upright: bool = False,
    warn: Callable[[str], None] = print_warning,
) -> SourceData:
    """Decode every image into uint8 (N, H, W, 3), or (N, H, W, 1) where all are grey.

    image_size: (height, width) to resize to, bilinear; without it all images must have one size.
    upright: turn images as their EXIF orientation says; Keras leaves them as they are stored.
    warn: takes one line that names what of the folder is not read.
    Raises DataError naming the file or the class that is empty, misplaced, corrupt or of another size, or where the
    images are more than fits into memory.
    """
    files = folder_files(root)
    if files.warning is not None:
        warn(files.warning)
    parts = (files.train, files.validation, files.test)
    paths = [path for part in parts for paths in part.values() for path in paths]
    images = _decode(paths, image_size, partial(_open, upright=upright))
    labels = [_labels(part) for part in parts]
    pixels = np.split(images, np.cumsum([len(part) for part in labels])[:-1])
    validation, test = (Split(*part) if len(part[1]) else None for part in zip(pixels[1:], labels[1:], strict=True))
    return SourceData(root.resolve().name, Split(pixels[0], labels[0]), test, tuple(files.train), validation=validation)


def _labels(files: ClassFiles) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(files), dtype=np.int64), [len(paths) for paths in files.values()])


def _decode(paths: list[Path], image_size: tuple[int, int] | None, read: Read) -> Pixels:
    """All images as one array, decoded by threads: Pillow releases the interpreter lock while it decodes."""
    reference = None if image_size else _first_readable(paths, read)
    size = (image_size[1], image_size[0]) if image_size else read(reference or paths[0]).size
    _check_size(len(paths), size)
    images = np.empty((len(paths), size[1], size[0], 3), np.uint8)
    decode = partial(_decode_task, paths, images, reference, read)
    with ThreadPoolExecutor() as pool:
        try:
            tasks = list(pool.map(decode, range(0, len(paths), _FILES_PER_TASK)))
        finally:
            pool.shutdown(cancel_futures=True)
    _check_readable([problem for _, problems in tasks for problem in problems], len(paths))
    return np.ascontiguousarray(images[..., :1]) if all(grey for grey, _ in tasks) else images


def _check_size(count: int, size: tuple[int, int]) -> None:
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


def _first_readable(paths: list[Path], read: Read) -> Path:
    """The file whose size all others must have; the first file where none is readable."""
    for path in paths:
        try:
            read(path)
        except DataError:  # Told with all others like it.
            continue
        return path
    return paths[0]


def _decode_task(
    paths: list[Path], images: Pixels, reference: Path | None, read: Read, start: int
) -> tuple[bool, list[DataError]]:
    """Fill images[start:start + _FILES_PER_TASK]; returns whether all of these are grey, and what is wrong with some.

    reference: the file that gave the size, None to resize.
    """
    grey, problems = True, []
    size = (images.shape[2], images.shape[1])
    for index, path in enumerate(paths[start : start + _FILES_PER_TASK], start=start):
        try:
            picture = read(path)
            images[index] = _fitted(picture, size, path, reference)
        except DataError as error:
            problems.append(error)
        else:
            grey = grey and picture.mode in _GREY_MODES
    return grey, problems


def _fitted(picture: Image.Image, size: tuple[int, int], path: Path, reference: Path | None) -> Pixels:
    """Pixels of a decoded picture in colour, of this size (width, height)."""
    colour = picture.convert("RGB")
    if reference is None:
        colour = colour.resize(size, Image.Resampling.BILINEAR)
    elif colour.size != size:
        raise DataError(
            f"expected images of one size, {size[0]}x{size[1]} as {reference}; received "
            f"{colour.size[0]}x{colour.size[1]} in {path}; give an image_size"
        )
    return np.asarray(colour)


def _check_readable(problems: list[DataError], count: int) -> None:
    """Name all files that cannot be used at once, so that they need not be found run by run."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        named = " | ".join(str(problem) for problem in problems[:_NAMED])
        more = f" | and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise DataError(f"{len(problems)} of {count} image files cannot be used: {named}{more}")


def _open(path: Path, *, upright: bool) -> Image.Image:
    """Open and decode, so that a truncated file is found here, by its name."""
    try:
        with Image.open(path) as picture:
            picture.load()
            mode = picture.mode
            if upright:
                ImageOps.exif_transpose(picture, in_place=True)
    except _DECODE_ERRORS as error:
        raise DataError(
            f"expected a readable image at {path}, received {typed_line(error)}; replace or remove it"
        ) from error
    if mode.startswith(_DEEP_MODES):
        raise DataError(f"expected an image of 8 bits a channel at {path}, received mode {mode}; convert it")
    return picture
