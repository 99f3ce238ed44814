"""The parts of a folder, training, validation and test, and what is not read of them."""

from collections.abc import Sequence

from compress.errors import DataError
from zoo.data.files.listing import absent, is_file, listed, relative
from zoo.data.files.paths import DataPath
from zoo.data.folders.class_files import FORMATS, PARTS

NAMED = 10
"""Files that one line names."""


def part_folders(root: DataPath, holding: str | None = None) -> dict[str, DataPath]:
    """Part to its folder: those of ``train``, ``validation`` and ``test``, or the folder itself as ``train``.

    holding: a file that tells a part from a folder of images that has its name; None where every such folder is one.

    Raises:
        DataError: two folders for one part, others but none of ``train``, or a folder that cannot be read.
    """
    names = {name: part for part, known in PARTS.items() for name in known}
    parts: dict[str, DataPath] = {}
    for folder in listed(root).folders:
        part = names.get(folder.name.casefold())
        if part is None or (holding is not None and absent([folder / holding])):
            continue
        other = parts.setdefault(part, folder)
        if other is not folder:
            raise DataError(
                f"expected one folder for each part in {root}, received {other.name} and {folder.name}; move the "
                "images into one of them"
            )
    if parts and "train" not in parts:
        others = ", ".join(folder.name for folder in parts.values())
        raise DataError(
            f"expected a folder train beside {others} in {root}, received none; move what is trained on to "
            f"{root / 'train'}, or {others} out of {root}"
        )
    return parts or {"train": root}


def image_files(folder: DataPath) -> tuple[list[DataPath], list[DataPath]]:
    """The image files of a folder, and what else is there.

    Raises:
        DataError: it cannot be read, or holds no image.
    """
    listing = listed(folder)
    images = [entry for entry in listing.others if entry.suffix.lower() in FORMATS and is_file(entry)]
    if not images:
        raise DataError(
            f"expected images in {folder}, received {len(listing.entries)} other entries; add {', '.join(FORMATS)}"
        )
    chosen = set(images)
    return images, [entry for entry in listing.entries if entry not in chosen]


def named(paths: Sequence[object]) -> str:
    """Some paths for a message: ten, and how many more."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(str(path) for path in paths[:NAMED]) + more


def not_read(root: DataPath, paths: Sequence[DataPath], why: str) -> str:
    """A line about entries of a folder that are not read."""
    return f"{len(paths)} entries of {root} not read, because {why}: {named([relative(path, root) for path in paths])}"
