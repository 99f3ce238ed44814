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

from compress.errors import DataError, typed_line
from zoo.data.dataset import Split
from zoo.data.source import SourceData, Wanted, data_source

# Files per task of the thread pool: a task per 32x32 file would cost more than its decoding.
_FILES_PER_TASK = 128
# Files that one error names.
_NAMED = 10
_GREY_MODES = ("1", "L", "LA")
_DEEP_MODES = ("I", "F")
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)

Pixels = npt.NDArray[np.uint8]


@data_source("an existing image folder", lambda source: Path(source).is_dir(), resizes=True)
def read_folder(wanted: Wanted) -> SourceData:
    """The images of a folder. Raises DataError where `folder` does."""
    return folder(wanted.path, wanted.image_size)


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
            f"received {len(files)} folders and {len(loose)} files{f' such as {loose[0]}' if loose else ''}; "
            "put the images of each class into a folder of its name"
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
    reference = None if image_size else _first_readable(paths)
    size = (image_size[1], image_size[0]) if image_size else _open(reference or paths[0]).size
    images = np.empty((len(paths), size[1], size[0], 3), np.uint8)
    decode = partial(_decode_task, paths, images, reference)
    with ThreadPoolExecutor() as pool:
        try:
            tasks = list(pool.map(decode, range(0, len(paths), _FILES_PER_TASK)))
        finally:
            pool.shutdown(cancel_futures=True)
    _check_readable([problem for _, problems in tasks for problem in problems], len(paths))
    return np.ascontiguousarray(images[..., :1]) if all(grey for grey, _ in tasks) else images


def _first_readable(paths: list[Path]) -> Path:
    """The file whose size all others must have; the first file where none is readable."""
    for path in paths:
        try:
            _open(path)
        except DataError:  # Told with all others like it.
            continue
        return path
    return paths[0]


def _decode_task(paths: list[Path], images: Pixels, reference: Path | None, start: int) -> tuple[bool, list[DataError]]:
    """Fill images[start:start + _FILES_PER_TASK]; returns whether all of these are grey, and what is wrong with some.

    reference: the file that gave the size, None to resize.
    """
    grey, problems = True, []
    size = (images.shape[2], images.shape[1])
    for index, path in enumerate(paths[start : start + _FILES_PER_TASK], start=start):
        try:
            picture = _open(path)
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


def _open(path: Path) -> Image.Image:
    """Open and decode, so that a truncated file is found here, by its name."""
    try:
        with Image.open(path) as picture:
            picture.load()
            mode = picture.mode
    except _DECODE_ERRORS as error:
        raise DataError(
            f"expected a readable image at {path}, received {typed_line(error)}; replace or remove it"
        ) from error
    if mode.startswith(_DEEP_MODES):
        raise DataError(f"expected an image of 8 bits a channel at {path}, received mode {mode}; convert it")
    return picture
