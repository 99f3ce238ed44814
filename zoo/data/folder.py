"""A folder of images: `train/<class>/*` with an optional `test/<class>/*`, or `<class>/*` directly.

Classes in alphabetical order are labels 0, 1, ...; hidden files are no images, and everything else must decode.
"""

import struct
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from compress.errors import DataError
from zoo.data.dataset import Split
from zoo.data.source import SourceData, one_line

# Files per task of the thread pool: a task per 32x32 file would cost more than its decoding.
_FILES_PER_TASK = 128
_GREY_MODES = ("1", "L", "LA")
_DEEP_MODES = ("I", "F")
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)

Pixels = npt.NDArray[np.uint8]


def folder(root: Path, image_size: tuple[int, int] | None = None) -> SourceData:
    """Decode every image into uint8 (N, H, W, 3), or (N, H, W, 1) where all are grey.

    image_size: (height, width) to resize to, bilinear; without it all images must have one size.
    Raises DataError naming the file or the class that is empty, misplaced, corrupt or of another size.
    """
    split_in_two = any(_folders(root / "train"))
    if split_in_two:
        _check_parts(root)
    train_files = _class_files(root / "train" if split_in_two else root)
    names = tuple(train_files)
    test_files = _class_files(root / "test") if split_in_two and (root / "test").is_dir() else {}
    if test_files and tuple(test_files) != names:
        raise DataError(
            f"expected the classes of {root / 'train'} in {root / 'test'}, received a difference in "
            f"{', '.join(sorted(set(names) ^ set(test_files)))}"
        )
    sizes = [sum(map(len, files.values())) for files in (train_files, test_files)]
    images = _decode(
        [path for files in (train_files, test_files) for paths in files.values() for path in paths], image_size
    )
    train = Split(images[: sizes[0]], _labels(train_files))
    test = Split(images[sizes[0] :], _labels(test_files)) if test_files else None
    return SourceData(root.resolve().name, train, test, names)


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _check_parts(root: Path) -> None:
    unknown = [entry.name for entry in _folders(root) if entry.name not in ("train", "test")]
    if unknown:
        raise DataError(f"expected only train and test in {root}, received {', '.join(unknown)}; move them away")


def _class_files(root: Path) -> dict[str, list[Path]]:
    """Class name to its files, both sorted."""
    files = {entry.name: _files(entry) for entry in _folders(root)}
    loose = [entry.name for entry in sorted(root.iterdir()) if entry.is_file() and not entry.name.startswith(".")]
    if len(files) < 2 or loose:
        raise DataError(
            f"expected two or more folders of images, one a class, and nothing else in {root}; "
            f"received {len(files)} folders and {len(loose)} files{f' such as {loose[0]}' if loose else ''}"
        )
    return files


def _files(root: Path) -> list[Path]:
    files = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    if not files:
        raise DataError(
            f"expected images of class {root.name!r} in {root}, received an empty folder; remove or fill it"
        )
    return files


def _labels(files: dict[str, list[Path]]) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(files), dtype=np.int64), [len(paths) for paths in files.values()])


def _decode(paths: list[Path], image_size: tuple[int, int] | None) -> Pixels:
    """All images as one array, decoded by threads: Pillow releases the interpreter lock while it decodes."""
    size = (image_size[1], image_size[0]) if image_size else _open(paths[0]).size
    images = np.empty((len(paths), size[1], size[0], 3), np.uint8)
    decode = partial(_decode_task, paths, images, resize=image_size is not None)
    with ThreadPoolExecutor() as pool:
        try:
            grey = all(list(pool.map(decode, range(0, len(paths), _FILES_PER_TASK))))
        finally:
            pool.shutdown(cancel_futures=True)
    return np.ascontiguousarray(images[..., :1]) if grey else images


def _decode_task(paths: list[Path], images: Pixels, start: int, *, resize: bool) -> bool:
    """Fill images[start:start + _FILES_PER_TASK]; returns whether all of these are grey."""
    grey = True
    size = (images.shape[2], images.shape[1])
    for index, path in enumerate(paths[start : start + _FILES_PER_TASK], start=start):
        picture = _open(path)
        grey = grey and picture.mode in _GREY_MODES
        colour = picture.convert("RGB")
        if resize:
            colour = colour.resize(size, Image.Resampling.BILINEAR)
        elif colour.size != size:
            raise DataError(
                f"expected images of one size, {size[0]}x{size[1]} as {paths[0]}; received "
                f"{colour.size[0]}x{colour.size[1]} in {path}; give an image_size"
            )
        images[index] = np.asarray(colour)
    return grey


def _open(path: Path) -> Image.Image:
    """Open and decode, so that a truncated file is found here, by its name."""
    try:
        with Image.open(path) as picture:
            picture.load()
            mode = picture.mode
    except _DECODE_ERRORS as error:
        raise DataError(
            f"expected a readable image at {path}, received {one_line(error)}; replace or remove it"
        ) from error
    if mode.startswith(_DEEP_MODES):
        raise DataError(f"expected an image of 8 bits a channel at {path}, received mode {mode}; convert it")
    return picture
