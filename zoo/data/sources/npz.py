"""An .npz file in Keras's convention."""

import os
import zlib
from math import prod
from pathlib import Path, PurePath
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from compress.disk.declared_size import check_declared
from compress.errors import DataError, typed_line
from zoo.data.files.paths import DataPath
from zoo.data.files.reading import opened
from zoo.data.source import SourceData, Wanted, as_split, data_source

_PARTS = {part: (f"x_{part}", f"y_{part}") for part in ("train", "test", "val")}
_KEYS = (*_PARTS["train"], *_PARTS["test"])


@data_source("an .npz file", lambda source: PurePath(source).suffix == ".npz")
def npz(wanted: Wanted) -> SourceData:
    """Read x_train, y_train, x_test, y_test and, where they are there, x_val, y_val; warn of other arrays.

    Raises DataError for a missing, corrupt or incomplete file, or one that declares more than it can hold.
    """
    path = wanted.path
    try:
        # Opened here: numpy leaves a file open that is no archive. Pickled objects, which run code, are refused.
        _check_regular(path)
        with opened(path) as file, np.load(file, allow_pickle=False) as archive:
            received = sorted(archive.files)
            _check_members(archive.zip, os.fstat(file.fileno()).st_size, path)
            arrays = {key: archive[key] for keys in _PARTS.values() for key in keys if key in received}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error, TypeError, RuntimeError) as error:
        # TypeError: numpy returns a bare array, which no `with` takes, for an .npy file under an .npz name.
        # RuntimeError: an encrypted archive.
        raise DataError(f"expected a readable .npz file of arrays at {path}, received {typed_line(error)}") from error
    if not set(_KEYS) <= set(arrays):
        raise DataError(f"expected the arrays {', '.join(_KEYS)} in {path}, received {', '.join(received) or 'none'}")
    pairs = {part: keys for part, keys in _PARTS.items() if set(keys) <= set(arrays)}
    left = sorted(set(received).difference(*pairs.values()))
    if left:
        wanted.warn(f"arrays of {path} not read, because only pairs of images and targets are: {', '.join(left)}")
    splits = {
        part: as_split(arrays[images], arrays[targets], f"{path} {images}, {targets}", wanted.task, wanted.series)
        for part, (images, targets) in pairs.items()
    }
    return SourceData(path.stem, splits["train"], splits["test"], validation=splits.get("val"))


def _check_regular(path: DataPath) -> None:
    """A pipe would be waited for without end."""
    if isinstance(path, Path) and path.exists() and not path.is_file():
        raise DataError(f"expected a regular .npz file at {path}, received a folder, pipe or device; give a file")


def _check_members(archive: ZipFile, on_disk: int, path: DataPath) -> None:
    """Refuse arrays by the sizes that the archive and their headers declare, before memory is taken for them."""
    known = {key for keys in _PARTS.values() for key in keys}
    members = [member for member in archive.infolist() if member.filename.removesuffix(".npy") in known]
    check_declared(
        sum(member.file_size for member in members),
        on_disk,
        f"arrays in {path}",
        lambda line: DataError(f"{line}; write fewer images, or save them as a folder"),
    )
    for member in members:
        with archive.open(member) as file:
            size = _header_size(file)
        if size > member.file_size:
            raise DataError(
                f"expected as many bytes as {member.filename} in {path} has, {member.file_size:,}; received a header "
                f"that declares {size:,}; save the arrays again with numpy.savez"
            )


def _header_size(file: Any) -> int:
    """Bytes of an array by its header; 0 for Python objects, which are refused when they are read."""
    read = np.lib.format.read_array_header_1_0
    if np.lib.format.read_magic(file) != (1, 0):
        read = np.lib.format.read_array_header_2_0  # Version 3 differs in the names of fields alone.
    shape, _, dtype = read(file)
    return 0 if dtype.hasobject else prod(shape) * dtype.itemsize
