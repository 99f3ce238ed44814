"""Which files of a folder are its images, by part and class, and what of it is not read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from compress.errors import DataError, typed_line

FORMATS = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
"""What `keras.utils.image_dataset_from_directory` reads, in capitals too."""

PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
# Made by macOS beside every archive.
_NO_FOLDERS = ("__MACOSX",)
# Entries that one warning names.
_NAMED = 10

ClassFiles = dict[str, list[Path]]


@dataclass(frozen=True)
class FolderFiles:
    """The image files of a folder, by class.

    Attributes:
        root: the folder.
        train, validation, test: class to files, both sorted; empty for a part that the folder has not.
        skipped: what is not read, and why, relative to the folder.
    """

    root: Path
    train: ClassFiles
    validation: ClassFiles
    test: ClassFiles
    skipped: tuple[str, ...]

    @property
    def warning(self) -> str | None:
        """One line that names what is not read; None where all is."""
        if not self.skipped:
            return None
        count = len(self.skipped)
        entries = "1 entry" if count == 1 else f"{count} entries"
        more = f" and {count - _NAMED} more" if count > _NAMED else ""
        return (
            f"{entries} of {self.root} not read, because only {_formats(' and ')} files "
            f"in folders of classes are: {', '.join(self.skipped[:_NAMED])}{more}"
        )


def folder_files(root: Path) -> FolderFiles:
    """The image files of `train/<class>/`, with `validation` and `test` where they exist, or of `<class>/`.

    A class is read as Keras's `image_dataset_from_directory` does: with all folders below it, links to folders left
    out. Hidden entries count as absent.

    Raises:
        DataError: folders that are no part beside `train`, fewer than two classes, classes that differ between the
            parts, or a class without images.
    """
    listing = _Listing(root)
    parts = listing.parts()
    files = {part: listing.classes(folder) for part, folder in parts.items()} or {"train": listing.classes(root)}
    for part in files:
        difference = sorted(set(files["train"]) ^ set(files[part]))
        if difference:
            raise DataError(
                f"expected the classes of {parts['train']} in {parts[part]}, received a difference in "
                f"{', '.join(difference)}"
            )
    train, validation, test = (files.get(part, {}) for part in PARTS)
    return FolderFiles(root, train, validation, test, tuple(listing.skipped))


@dataclass(frozen=True)
class _Listing:
    """Lists a folder, and keeps what it leaves out."""

    root: Path
    skipped: list[str] = field(default_factory=list)

    def parts(self) -> dict[str, Path]:
        """Part to its folder; empty unless the folder has a training part with folders in it."""
        folders, names = _folders(self.root), {name: part for part, names in PARTS.items() for name in names}
        known = [folder for folder in folders if folder.name.casefold() in names]
        if not any(names[folder.name.casefold()] == "train" and _folders(folder) for folder in known):
            return {}
        unknown = [folder.name for folder in folders if folder not in known]
        if unknown:
            raise DataError(
                f"expected only train, validation and test in {self.root}, received {', '.join(unknown)}; "
                "move them away"
            )
        parts: dict[str, Path] = {}
        for folder in known:
            other = parts.setdefault(names[folder.name.casefold()], folder)
            if other is not folder:
                raise DataError(
                    f"expected one folder for each part in {self.root}, received {other.name} and {folder.name}; "
                    "move the images into one of them"
                )
        self._skip(entry for entry in _entries(self.root) if entry not in known)
        return parts

    def classes(self, folder: Path) -> ClassFiles:
        """Class name to its files, both sorted."""
        classes = _folders(folder)
        loose = [entry for entry in _entries(folder) if entry not in classes]
        if len(classes) < 2:
            raise DataError(
                f"expected two or more folders of images, one a class, in {folder}; received {len(classes)} folders "
                f"and {len(loose)} files{f' such as {loose[0].name}' if loose else ''}; "
                "put the images of each class into a folder of its name"
            )
        self._skip(loose)
        return {entry.name: self._images(entry) for entry in classes}

    def _images(self, folder: Path) -> list[Path]:
        files = list(_walked(folder))
        images = [path for path in files if path.name.lower().endswith(FORMATS) and _is_regular(path)]
        if not images:
            received = (
                f"{len(files)} other files such as {files[0].name}; convert them to {_formats(' or ')}"
                if files
                else "an empty folder; remove or fill it"
            )
            raise DataError(f"expected images of class {folder.name!r} in {folder}, received {received}")
        chosen = set(images)
        self._skip(path for path in files if path not in chosen)
        return images

    def _skip(self, paths: Iterator[Path] | list[Path]) -> None:
        for path in paths:
            special = "" if path.is_dir() or _is_regular(path) else " (no regular file)"
            self.skipped.append(f"{path.relative_to(self.root)}{special}")


def _formats(conjunction: str) -> str:
    *others, last = (suffix.removeprefix(".") for suffix in FORMATS)
    return f"{', '.join(others)}{conjunction}{last}"


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"expected a readable folder at {folder}, received {typed_line(error)}") from error


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.is_dir() and entry.name not in _NO_FOLDERS]


def _walked(folder: Path) -> Iterator[Path]:
    """All entries below a folder that are no folders to look into, folder by folder in alphabetical order."""
    entries = _entries(folder)
    below = [entry for entry in entries if entry.is_dir() and not entry.is_symlink() and entry.name not in _NO_FOLDERS]
    yield from (entry for entry in entries if entry not in below)
    for entry in below:
        yield from _walked(entry)


def _is_regular(path: Path) -> bool:
    """Whether opening it comes to an end: no pipe, socket or device. A broken link counts, to be named as an image."""
    return path.is_file() or (path.is_symlink() and not os.path.exists(path))
