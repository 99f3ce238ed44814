"""An .npz file in Keras's convention."""

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from compress.errors import DataError, typed_line
from zoo.data.source import SourceData, Wanted, as_split, data_source, numbered_classes

_KEYS = ("x_train", "y_train", "x_test", "y_test")


@data_source("an .npz file", lambda source: Path(source).suffix == ".npz")
def npz(wanted: Wanted) -> SourceData:
    """Read x_train, y_train, x_test, y_test; raises DataError for a missing, corrupt or incomplete file."""
    path = wanted.path
    try:
        # Opened here: numpy leaves a file open that is no archive. Pickled objects, which run code, are refused.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            received = sorted(archive.files)
            arrays = [archive[key] for key in _KEYS if key in received]
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error, TypeError) as error:
        # TypeError: numpy returns a bare array, which no `with` takes, for an .npy file under an .npz name.
        raise DataError(f"expected a readable .npz file of arrays at {path}, received {typed_line(error)}") from error
    if len(arrays) != len(_KEYS):
        raise DataError(f"expected the arrays {', '.join(_KEYS)} in {path}, received {', '.join(received) or 'none'}")
    train = as_split(arrays[0], arrays[1], f"{path} x_train, y_train")
    test = as_split(arrays[2], arrays[3], f"{path} x_test, y_test")
    return SourceData(path.stem, train, test, numbered_classes(train, test))
