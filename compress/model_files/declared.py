"""What a model file declares to hold, checked before anything of it is read."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import h5py

from compress.disk.declared_size import check_declared
from compress.errors import ModelError


def check_model_file(path: Path) -> None:
    """Refuse a ``.keras`` or ``.h5`` file whose members or weights are declared larger than such a file can hold.

    A file that cannot be read is left to Keras, which says what is wrong with it.

    Raises:
        ModelError: more than the machine's memory, or more than 1 GiB and 100 times the file.
    """
    on_disk = path.stat().st_size
    try:
        for declared, what in _declared(path):
            check_declared(declared, on_disk, what, _error)
    except (OSError, RuntimeError, KeyError, ValueError, BadZipFile):
        return


def _error(line: str) -> ModelError:
    return ModelError(f"{line}; save the model again, and load no file of an unknown source")


def _declared(path: Path) -> Iterator[tuple[int, str]]:
    """Bytes that are declared, and what of: the members of an archive first, for weights are read out of them."""
    if is_zipfile(path):
        with ZipFile(path) as file:
            yield sum(member.file_size for member in file.infolist()), "members of the archive"
            for name in file.namelist():
                if name.endswith(".h5"):
                    yield _weights(BytesIO(file.read(name))), f"weights in {name}"
    elif h5py.is_hdf5(path):
        yield _weights(path), "weights"


def _weights(source: Path | BytesIO) -> int:
    """Bytes of all data sets of an HDF5 file by their shapes."""
    sizes: list[int] = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(item.size * item.dtype.itemsize)

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    return sum(sizes)
