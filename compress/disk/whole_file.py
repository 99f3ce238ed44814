"""Files that appear whole or not at all: written aside, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from uuid import uuid4

from compress.errors import RunError


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path beside `path` to write a file to, which takes its place at the end of the context.

    After an error nothing is left beside, and what `path` held stays. The name ends like that of `path`, and is unique
    also across nodes that share the folder.

    Raises:
        OSError: the file cannot be put in its place.
    """
    partial = path.with_name(f".partial-{uuid4().hex[:8]}-{path.name}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        if partial.is_file():
            partial.unlink()


def remove_whole(path: Path) -> None:
    """Delete a file, where there is one, and what killed processes left beside it of the same file."""
    for left in (path, *path.parent.glob(f".partial-*-{escape(path.name)}")):
        left.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, whole; text in UTF-8.

    Raises:
        RunError: it cannot be written.
    """
    try:
        with replaced(path) as partial:
            partial.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise RunError(f"'{path}' cannot be written ({error.strerror}); make room, and run the same command") from error
