"""The contents of files, of this machine or at an address."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from compress.errors import typed_line
from zoo.data.files.paths import DataPath

_REQUESTS = 32
"""Files at addresses that are read at the same time."""


def threads_for(paths: Sequence[DataPath]) -> int | None:
    """How many threads read files: many where they wait for answers, None for as many as Python takes."""
    return None if all(isinstance(path, Path) for path in paths) else _REQUESTS


def content(path: DataPath, most: int | None = None) -> bytes:
    """The bytes of a file, or the first ones.

    Raises:
        OSError: it cannot be read, whatever the file system raises.
    """
    if isinstance(path, Path):
        with path.open("rb") as file:
            return file.read(-1 if most is None else most)
    with _os_errors():
        read: bytes = path.fs.cat_file(path.path, end=most)
    return read


def readable(path: DataPath, most: int | None = None) -> Path | BytesIO:
    """What Pillow opens: a path of this machine, or the content, or its first bytes, at an address.

    Raises:
        OSError: an address that cannot be read.
    """
    return path if isinstance(path, Path) else BytesIO(content(path, most))


@contextmanager
def opened(path: DataPath) -> Iterator[IO[bytes]]:
    """The file, or a copy of what is at an address that is gone afterwards.

    Raises:
        OSError: it cannot be read, whatever the file system raises.
    """
    if isinstance(path, Path):
        with path.open("rb") as file:
            yield file
        return
    with NamedTemporaryFile() as copy:
        with _os_errors():
            path.fs.get_file(path.path, copy.name)
        with open(copy.name, "rb") as file:
            yield file


@contextmanager
def _os_errors() -> Iterator[None]:
    """File systems raise errors of many types, which those who read files do not know."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(typed_line(error)) from error
