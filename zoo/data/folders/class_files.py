"""Which files of a folder are its images, by part and class, and what of it is not read."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from compress.errors import DataError
from zoo.data.files.listing import is_file, listed, relative, walked
from zoo.data.files.paths import DataPath

FORMATS = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
"""What `keras.utils.image_dataset_from_directory` reads, in capitals too."""

PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
# Entries that one warning names.
_NAMED = 10

ClassFiles = dict[str, list[DataPath]]


@dataclass(frozen=True)
class FolderFiles:
    """The image files of a folder, by class.

    Attributes:
        root: the folder.
        train, validation, test: class to files, both sorted; empty for a part that the folder has not.
        skipped: what is not read, and why, relative to the folder.
    """

    root: DataPath
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


def folder_files(root: DataPath) -> FolderFiles:
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

    root: DataPath
    skipped: list[str] = field(default_factory=list)

    def parts(self) -> dict[str, DataPath]:
        """Part to its folder; empty unless the folder has a training part with folders in it.

        Raises:
            DataError: nothing but parts, none of which is to train on, or others beside them.
        """
        listing, names = listed(self.root), {name: part for part, names in PARTS.items() for name in names}
        known = [folder for folder in listing.folders if folder.name.casefold() in names]
        if not any(names[folder.name.casefold()] == "train" and listed(folder).folders for folder in known):
            if len(known) > 1 and len(known) == len(listing.folders):
                raise DataError(
                    f"expected a folder train with a folder for each class in {self.root}, received "
                    f"{' and '.join(folder.name for folder in known)} without it, which are no classes; put the "
                    f"training images into {self.root / 'train'}, each class into a folder of its name"
                )
            return {}
        unknown = [folder.name for folder in listing.folders if folder not in known]
        if unknown:
            raise DataError(
                f"expected only train, validation and test in {self.root}, received {', '.join(unknown)}; "
                "move them away"
            )
        parts: dict[str, DataPath] = {}
        for folder in known:
            other = parts.setdefault(names[folder.name.casefold()], folder)
            if other is not folder:
                raise DataError(
                    f"expected one folder for each part in {self.root}, received {other.name} and {folder.name}; "
                    "move the images into one of them"
                )
        self._skip(entry for entry in listing.entries if entry not in known)
        return parts

    def classes(self, folder: DataPath) -> ClassFiles:
        """Class name to its files, both sorted."""
        listing = listed(folder)
        classes, loose = listing.folders, listing.others
        if len(classes) < 2:
            raise DataError(
                f"expected two or more folders of images, one a class, in {folder}; received {len(classes)} folders "
                f"and {len(loose)} files{f' such as {loose[0].name}' if loose else ''}; "
                "put the images of each class into a folder of its name"
            )
        self._skip(loose)
        return {entry.name: self._images(entry) for entry in classes}

    def _images(self, folder: DataPath) -> list[DataPath]:
        files = list(walked(folder))
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

    def _skip(self, paths: Iterable[DataPath]) -> None:
        for path in paths:
            special = "" if _is_regular(path) or path.is_dir() else " (no regular file)"
            self.skipped.append(f"{relative(path, self.root)}{special}")


def _formats(conjunction: str) -> str:
    *others, last = (suffix.removeprefix(".") for suffix in FORMATS)
    return f"{', '.join(others)}{conjunction}{last}"


def _is_regular(path: DataPath) -> bool:
    """Whether opening it comes to an end: no pipe, socket or device. A broken link counts, to be named as an image."""
    return is_file(path) or (path.is_symlink() and not path.exists())
