"""Data sources: the registry of them, and what one hands over before the validation split and the normalization."""

import importlib
import math
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from compress.errors import DataError, foreign_code
from zoo.data.dataset import ImageDataset, Split
from zoo.data.files.decoding import Decoding
from zoo.data.files.paths import DataPath, data_name, data_path
from zoo.tasks.task import Task


@dataclass(frozen=True, eq=False)
class SourceData:
    """train, validation and test as the source has them (None: none of its own).

    class_names: the class of each label, None where numbers are their names or the task has no classes.
    scale: the pixel value that stands for 1; None takes 255 for uint8 and 1 for float32.
    """

    name: str
    train: Split
    test: Split | None
    class_names: tuple[str, ...] | None = None
    scale: float | None = None
    validation: Split | None = None


def print_warning(line: str) -> None:
    """Print a warning to standard error."""
    print(f"warning: {line}", file=sys.stderr)


@dataclass(frozen=True)
class Wanted:
    """What is asked of a source.

    Attributes:
        source: the text that the user gave: a name, a path, a reference.
        task: what the images are given for.
        seed: of what is drawn at random.
        image_size: (height, width) to resize to, only given to sources that do so.
        exif_orientation: whether to turn images as their EXIF orientation says, only given to sources that resize.
        series: whether arrays of three axes are series, (N, steps, channels), and not grey images, (N, height, width).
        warn: takes a line about what is not read.
        in_memory: bytes of images and target images, beyond which those of a folder stay in their files until they are
            needed, and those of a pipeline are refused.
        train_limit, test_limit: how many images of a part will be used at most; None for all.
        colours: whether grey images of a folder have three channels as well, for a model that takes these.
    """

    source: str
    task: Task
    seed: int = 0
    image_size: tuple[int, int] | None = None
    exif_orientation: bool = False
    series: bool = False
    warn: Callable[[str], None] = print_warning
    in_memory: float = math.inf
    train_limit: int | None = None
    test_limit: int | None = None
    colours: bool = False

    @property
    def decoding(self) -> Decoding:
        """How images of a folder become pixels."""
        return Decoding(self.image_size, self.exif_orientation, colours=self.colours)

    @property
    def decoded_at_once(self) -> float:
        """Bytes up to which a folder is decoded at once: none where limits choose, for the rest is not decoded."""
        return 0 if self.train_limit or self.test_limit else self.in_memory

    @property
    def path(self) -> DataPath:
        """The text as a path, or an address."""
        return data_path(self.source)

    @property
    def name(self) -> str:
        """What the data are called: the name of the folder."""
        return data_name(self.path)


Reader = Callable[[Wanted], SourceData | ImageDataset]


@dataclass(frozen=True)
class DataSource:
    """Something that images are read from.

    Attributes:
        words: what it is, for messages and the reference: a name in itself, or "an .npz file".
        read: returns the images; raises DataError where it cannot.
        takes: whether a text that the user gave means this source.
        named: whether the words are the one text that it takes.
        resizes: whether it can resize images, and turn them as their EXIF orientation says.
    """

    words: str
    read: Reader
    takes: Callable[[str], bool]
    named: bool
    resizes: bool


_registered: Final[list[DataSource]] = []
_FOLDER = "zoo.data.sources"


def named_source(name: str) -> Callable[[Reader], Reader]:
    """Register a function as what reads the data set of this name."""
    return _registrar(name, lambda source: source == name, named=True, resizes=False)


def data_source(words: str, takes: Callable[[str], bool], *, resizes: bool = False) -> Callable[[Reader], Reader]:
    """Register a function as what reads every source that ``takes`` says yes to; names go first."""
    return _registrar(words, takes, named=False, resizes=resizes)


def _registrar(words: str, takes: Callable[[str], bool], *, named: bool, resizes: bool) -> Callable[[Reader], Reader]:
    def register(read: Reader) -> Reader:
        _registered.append(DataSource(words, read, takes, named, resizes))
        return read

    return register


@cache
def data_sources() -> tuple[DataSource, ...]:
    """All sources: those with a name first, the others in the order of their files in the folder ``sources``."""
    for module in pkgutil.iter_modules(importlib.import_module(_FOLDER).__path__):
        importlib.import_module(f"{_FOLDER}.{module.name}")
    return tuple(sorted(_registered, key=lambda source: not source.named))


def source_words() -> str:
    """All sources in words, joined by commas and "or"."""
    *others, last = (source.words for source in data_sources())
    return f"{', '.join(others)} or {last}"


def as_split(images: Any, targets: Any, what: str, task: Task, series: bool = False) -> Split:
    """Turn arrays in Keras's convention into a Split; `what` names them in messages.

    images: (N, H, W) or (N, H, W, C), uint8, other integers within 0 to 255, or floats; grey images get a channel.
    series: whether arrays of three axes are series, (N, steps, channels), which get none.
    targets: (N, ...), as the task takes them. Raises DataError for anything else.
    """
    pixels = _as_array(images, f"{what} images")
    wanted = task.targets(_as_array(targets, f"{what} targets"), what)
    if pixels.ndim == 3 and not series:
        pixels = pixels[..., np.newaxis]
    try:
        return Split(_as_pixels(pixels), wanted)
    except DataError as error:
        raise DataError(f"{what}: {error}") from error


def _as_array(values: Any, what: str) -> Any:
    # Lists of unequal lengths, and whatever a user's own type raises.
    with foreign_code(lambda line: DataError(f"expected an array as {what}, received {line}")):
        return np.asarray(values)


def _as_pixels(images: Any) -> Any:
    if np.issubdtype(images.dtype, np.floating):
        return images.astype(np.float32, copy=False)
    if np.issubdtype(images.dtype, np.integer) and images.dtype != np.uint8 and images.size:
        low, high = int(images.min()), int(images.max())
        if low < 0 or high > 255:
            raise DataError(f"expected integer pixels from 0 to 255, received {low} to {high}; convert to float")
        return images.astype(np.uint8)
    return images
