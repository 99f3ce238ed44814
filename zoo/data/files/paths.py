"""Where data lie: paths of this machine, and addresses such as ``gs://bucket/photos``, which fsspec reads."""

import pickle
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from compress.errors import DataError, foreign_code, typed_line

if TYPE_CHECKING:  # Of the extra `remote`, which paths of this machine do without.
    from upath import UPath

_PASSWORD = re.compile("://[^/@]*:[^/@]*@")

DataPath: TypeAlias = Union[Path, "UPath"]
"""A path of this machine, or an address, which has the methods of one."""


def is_address(source: str) -> bool:
    """Whether a text is an address, with a scheme, and no path of this machine."""
    return "://" in source


def data_path(source: str) -> DataPath:
    """The path that a text means; what is there is not looked for yet.

    Raises:
        DataError: an address whose scheme is unknown, or needs a package that is missing, or with a password.
    """
    if not is_address(source):
        return Path(source)
    if _PASSWORD.search(source):
        raise DataError(
            "expected an address without a password as data source, for messages and run folders show it; give it in "
            "the environment, as FSSPEC_FTP_PASSWORD for ftp://"
        )
    try:
        from upath import UPath
    except ImportError as error:
        raise _without_extra(f"expected universal_pathlib to be installed, to read {source!r}", error) from error
    with foreign_code(
        lambda line: DataError(
            "expected a data source that fsspec opens, with the package that its scheme needs, received "
            f"{source!r}: {line}"
        )
    ):
        # A slash at the end would leave it without a name.
        path = UPath(source if source.endswith("://") else source.rstrip("/"))
        _ = path.fs
    return path


def data_name(path: DataPath) -> str:
    """What data are called that lie there: the name of the folder."""
    return path.resolve().name if isinstance(path, Path) else path.name or str(path)


def is_folder(path: DataPath) -> bool:
    """Whether there is a folder.

    Raises:
        DataError: an address that cannot be reached.
    """
    with foreign_code(lambda line: DataError(f"expected an address that can be reached, received {line} for {path}")):
        return path.is_dir()


def without_data(source: str) -> DataError:
    """The error of an address at which there is no folder."""
    path = data_path(source)
    try:
        received = "a path without a scheme" if isinstance(path, Path) else f"a {path.fs.info(path.path)['type']}"
    except Exception as error:  # File systems raise errors of many types.
        received = typed_line(error)
    return DataError(f"expected a folder of images or an .npz file at {source!r}, received {received}")


def packed(paths: tuple[DataPath, ...]) -> bytes:
    """Paths for another machine, where ``unpacked`` takes them."""
    return pickle.dumps(paths)


def unpacked(content: bytes) -> tuple[DataPath, ...]:
    """Paths that another machine packed.

    Raises:
        DataError: addresses, and this machine lacks what reads them; names it.
    """
    try:
        paths: tuple[DataPath, ...] = pickle.loads(content)
    except ImportError as error:
        expected = f"expected universal_pathlib to be installed on node {socket.gethostname()}"
        raise _without_extra(expected, error) from error
    return paths


def _without_extra(expected: str, error: ImportError) -> DataError:
    return DataError(f"{expected}, received {typed_line(error)}; pip install 'tuckprune[remote]'")
