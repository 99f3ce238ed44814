"""A folder of sharp images, anywhere below `<part>` or the folder itself; models see them reduced by a factor."""

from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from compress.errors import DataError
from zoo.data.dataset import Split
from zoo.data.files.decoding import Decoding, Pixels
from zoo.data.files.file_array import FileArray, Form, decoded_bytes
from zoo.data.files.image_files import ImageFiles
from zoo.data.files.listing import is_file, walked
from zoo.data.files.paths import DataPath
from zoo.data.folders.class_files import FORMATS
from zoo.data.folders.parts import part_folders
from zoo.data.source import SourceData, Wanted


def sharp(wanted: Wanted) -> SourceData:
    """Images reduced by the task's factor (bicubic, as super-resolution is measured), with the images themselves.

    Images of another shape than image_size are scaled to cover it, and cut.

    Raises:
        DataError: no images, some that cannot be decoded, or a size that the factor does not divide.
    """
    files = {part: _files(folder) for part, folder in part_folders(wanted.path).items()}
    decoding = replace(wanted.decoding, cut=True)
    factor: int = wanted.task.factor  # type: ignore[attr-defined]  # Only tasks with one have this layout.
    # Sharp images as targets of twelve bytes a pixel, and their reductions.
    total = sum(decoded_bytes(paths, decoding, 12 + 3 / factor**2) for paths in files.values())
    in_files = total > wanted.decoded_at_once
    forms = partial(reduced, factor=factor), partial(wanted.task.targets, what=str(wanted.path))
    splits = {part: _split(paths, decoding, *forms, in_files=in_files) for part, paths in files.items()}
    return SourceData(wanted.name, splits["train"], splits.get("test"), validation=splits.get("validation"))


def _files(folder: DataPath) -> list[DataPath]:
    images = (path for path in walked(folder) if path.suffix.lower() in FORMATS and is_file(path))
    paths = sorted(images, key=lambda path: tuple(path.parts))
    if not paths:
        raise DataError(f"expected images in {folder}, received none; add {', '.join(FORMATS)}")
    return paths


def _split(paths: list[DataPath], decoding: Decoding, reduce: Form, as_targets: Form, *, in_files: bool) -> Split:
    if in_files:
        files = ImageFiles.checked(paths, decoding)
        return Split(FileArray(files, reduce), FileArray(files, as_targets))
    images = decoding(paths)
    return Split(reduce(images), as_targets(images))


def reduced(images: Pixels, factor: int) -> Pixels:
    """Images (N, H, W, C) uint8 of a factor fewer rows and columns, bicubic.

    Raises:
        DataError: a size that the factor does not divide.
    """
    height, width = images.shape[1:3]
    if height % factor or width % factor:
        raise DataError(
            f"expected images whose height and width {factor} divides, received {height} by {width}; give an image_size"
        )
    size = (width // factor, height // factor)
    # Pillow reduces colour or grey images alone.
    made = [
        np.asarray(
            Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).resize(size, Image.Resampling.BICUBIC)
        )
        for image in images
    ]
    return np.stack(made).reshape(len(images), size[1], size[0], -1)
