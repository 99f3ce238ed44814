"""A folder of images, laid out as its task asks for.

Classification: `train/<class>/*` with optional `validation` and `test` beside it, or `<class>/*` directly; classes in
alphabetical order are labels 0, 1, ... Every image file must decode.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from compress.errors import DataError
from zoo.data.dataset import Split
from zoo.data.files.decoding import Decoding
from zoo.data.files.file_array import FileArray, decoded_bytes, loaded
from zoo.data.files.paths import DataPath, data_name, data_path, is_folder
from zoo.data.folders.class_files import ClassFiles, folder_files
from zoo.data.folders.pairs import pairs
from zoo.data.folders.sharp import sharp
from zoo.data.folders.table import table
from zoo.data.source import SourceData, Wanted, data_source, print_warning


@data_source("an existing image folder", lambda source: is_folder(data_path(source)), resizes=True)
def read_folder(wanted: Wanted) -> SourceData:
    """The images of a folder, with targets in the layout of the task. Raises DataError where its reader does."""
    return _LAYOUTS[wanted.task.folder](wanted)


def folder(
    root: DataPath,
    image_size: tuple[int, int] | None = None,
    *,
    upright: bool = False,
    colours: bool = False,
    in_memory: float = math.inf,
    warn: Callable[[str], None] = print_warning,
) -> SourceData:
    """Decode every image into uint8 (N, H, W, 3), or (N, H, W, 1) where all are grey, labelled by its folder.

    image_size: (height, width) to resize to, bilinear; without it all images must have one size.
    upright: turn images as their EXIF orientation says; Keras leaves them as they are stored.
    colours: whether images have three channels where all are grey as well.
    in_memory: bytes of decoded images beyond which they stay in their files until they are needed.
    warn: takes one line that names what of the folder is not read.
    Raises DataError naming the file or the class that is empty, misplaced, corrupt or of another size, or where the
    images are more than fits into memory.
    """
    files = folder_files(root)
    if files.warning is not None:
        warn(files.warning)
    parts = (files.train, files.validation, files.test)
    paths = [path for part in parts for paths in part.values() for path in paths]
    decoding, labels = Decoding(image_size, upright, colours=colours), [_labels(part) for part in parts]
    images = loaded(paths, decoding, in_files=decoded_bytes(paths, decoding) > in_memory)
    counts = [len(part) for part in labels]
    pixels = images.divided(counts) if isinstance(images, FileArray) else np.split(images, np.cumsum(counts)[:-1])
    validation, test = (Split(*part) if len(part[1]) else None for part in zip(pixels[1:], labels[1:], strict=True))
    return SourceData(data_name(root), Split(pixels[0], labels[0]), test, tuple(files.train), validation=validation)


def _labels(files: ClassFiles) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(files), dtype=np.int64), [len(paths) for paths in files.values()])


def _classes(wanted: Wanted) -> SourceData:
    return folder(
        wanted.path,
        wanted.image_size,
        upright=wanted.exif_orientation,
        colours=wanted.colours,
        in_memory=wanted.decoded_at_once,
        warn=wanted.warn,
    )


def _none(wanted: Wanted) -> SourceData:
    raise DataError(
        f"expected an .npz file or a function of yours as data source for {wanted.task.name}, whose targets no folder "
        f"holds, received folder {wanted.path}"
    )


_LAYOUTS = {"classes": _classes, "pairs": pairs, "table": table, "sharp": sharp, "none": _none}
