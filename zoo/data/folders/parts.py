"""The parts of a folder, training, validation and test, and what is not read of them."""

from collections.abc import Sequence
from pathlib import Path

from compress.errors import DataError, typed_line
from zoo.data.folders.class_files import FORMATS, PARTS

NAMED = 10
"""Files that one line names."""


def part_folders(root: Path) -> dict[str, Path]:
    """Part to its folder: those of ``train``, ``validation`` and ``test``, or the folder itself as ``train``.

    Raises:
        DataError: two folders for one part, or a folder that cannot be read.
    """
    names = {name: part for part, known in PARTS.items() for name in known}
    parts: dict[str, Path] = {}
    for folder in entries(root):
        part = names.get(folder.name.casefold())
        if part is None or not folder.is_dir():
            continue
        other = parts.setdefault(part, folder)
        if other is not folder:
            raise DataError(
                f"expected one folder for each part in {root}, received {other.name} and {folder.name}; move the "
                "images into one of them"
            )
    return parts if "train" in parts else {"train": root}


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, in the order of names, without hidden entries.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"expected a readable folder at {folder}, received {typed_line(error)}") from error


def image_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The image files of a folder, and what else is there.

    Raises:
        DataError: it cannot be read, or holds no image.
    """
    there = entries(folder)
    images = [entry for entry in there if entry.suffix.lower() in FORMATS and entry.is_file()]
    if not images:
        raise DataError(f"expected images in {folder}, received {len(there)} other entries; add {', '.join(FORMATS)}")
    return images, [entry for entry in there if entry not in images]


def named(paths: Sequence[Path]) -> str:
    """Some paths for a message: ten, and how many more."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(str(path) for path in paths[:NAMED]) + more


def not_read(root: Path, paths: Sequence[Path], why: str) -> str:
    """A line about entries of a folder that are not read."""
    relative = [path.relative_to(root) for path in paths]
    return f"{len(paths)} entries of {root} not read, because {why}: {named(relative)}"
