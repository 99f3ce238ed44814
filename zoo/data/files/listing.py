"""What lies in folders, of this machine or at an address, which is asked once for a whole folder."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import DataError, foreign_code
from zoo.data.files.paths import DataPath
from zoo.data.files.reading import threads_for

if TYPE_CHECKING:
    from upath import UPath

# Made by macOS beside every archive.
_NO_FOLDERS = ("__MACOSX",)
_HIDDEN = "."
# Links of web servers' pages that sort the page.
_NO_ENTRY = "?"


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, in the order of names, without hidden entries.

    Attributes:
        entries: all of it.
        folders: those that are folders, without what macOS adds.
    """

    entries: tuple[DataPath, ...]
    folders: tuple[DataPath, ...]

    @property
    def others(self) -> tuple[DataPath, ...]:
        """Entries that are not among the folders."""
        folders = set(self.folders)
        return tuple(entry for entry in self.entries if entry not in folders)


def listed(folder: DataPath) -> Listing:
    """What lies in a folder.

    Raises:
        DataError: it cannot be read.
    """
    kinds: dict[DataPath, bool]
    with foreign_code(lambda line: DataError(f"expected a readable folder at {folder}, received {line}")):
        if isinstance(folder, Path):
            kinds = {entry: entry.is_dir() for entry in folder.iterdir() if not entry.name.startswith(_HIDDEN)}
        else:
            kinds = dict(_entries_at(folder))
    entries = tuple(sorted(kinds, key=lambda entry: entry.name))
    return Listing(entries, tuple(one for one in entries if kinds[one] and one.name not in _NO_FOLDERS))


def _entries_at(folder: "UPath") -> Iterator[tuple[DataPath, bool]]:
    """Entries of an address, and whether each is a folder: `iterdir` and `is_dir` would ask for each one."""
    itself = folder.path.strip("/")
    for entry in folder.fs.ls(folder.path, detail=True):
        path = entry["name"].strip("/")
        name = path.rpartition("/")[2]
        # Object stores keep an empty object under the name of a folder.
        if path != itself and not name.startswith((_HIDDEN, _NO_ENTRY)):
            yield folder / name, entry["type"] == "directory"


def walked(folder: DataPath) -> Iterator[DataPath]:
    """All entries below a folder that are no folders to look into, folder by folder in the order of names.

    Links to folders are not looked into.

    Raises:
        DataError: a folder that cannot be read.
    """
    listing = listed(folder)
    below = [entry for entry in listing.folders if not (isinstance(entry, Path) and entry.is_symlink())]
    yield from (entry for entry in listing.entries if entry not in below)
    for entry in below:
        yield from walked(entry)


def relative(path: DataPath, folder: DataPath) -> str:
    """The path as seen from a folder that it lies in, for messages."""
    return "/".join(path.parts[len(folder.parts) :])


def is_file(entry: DataPath) -> bool:
    """Whether an entry that is no folder can be opened; at an address there is nothing else."""
    return entry.is_file() if isinstance(entry, Path) else True


def absent(paths: Sequence[DataPath]) -> list[DataPath]:
    """Those of the paths at which there is no file."""
    if all(isinstance(path, Path) for path in paths):
        return [path for path in paths if not path.is_file()]
    with ThreadPoolExecutor(threads_for(paths)) as pool:
        files = pool.map(lambda path: path.is_file(), paths)
        return [path for path, is_there in zip(paths, files, strict=True) if not is_there]
