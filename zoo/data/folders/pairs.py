"""A folder of pairs: `<part>/images/*` and, of the same names, `<part>/masks/*` or `<part>/targets/*`."""

from dataclasses import replace
from functools import partial

from compress.errors import DataError
from zoo.data.dataset import Split
from zoo.data.files.file_array import decoded_bytes, loaded
from zoo.data.files.listing import listed
from zoo.data.files.paths import DataPath
from zoo.data.folders.parts import image_files, named, not_read, part_folders
from zoo.data.source import SourceData, Wanted

_IMAGES = "images"
_TARGETS = ("masks", "targets")


def pairs(wanted: Wanted) -> SourceData:
    """Images with the images that belong to them: of segmentation masks of class numbers, resized to the nearest pixel.

    Raises:
        DataError: a folder that is missing, a file without the other one, files that cannot be decoded, or masks of
            another size than their images.
    """
    folders = part_folders(wanted.path)
    pairs_of = {part: _paired(folder, wanted) for part, folder in folders.items()}
    # An image of three bytes a pixel, with class numbers of four, or a target image of twelve.
    decoding, per_pixel = wanted.decoding, 3 + (4 if _has_masks(wanted) else 12)
    total = sum(decoded_bytes(images, decoding, per_pixel) for images, _ in pairs_of.values())
    splits = {
        part: _split(folder, *pairs_of[part], wanted, in_files=total > wanted.decoded_at_once)
        for part, folder in folders.items()
    }
    return SourceData(wanted.name, splits["train"], splits.get("test"), validation=splits.get("validation"))


def _split(
    folder: DataPath, images: list[DataPath], targets: list[DataPath], wanted: Wanted, *, in_files: bool
) -> Split:
    numbers = _has_masks(wanted)
    pixels = loaded(images, wanted.decoding, in_files=in_files)
    form = partial(wanted.task.targets, what=str(folder))
    decoding = replace(wanted.decoding, numbers=numbers, colours=False)
    answers = loaded(targets, decoding, form, in_files=in_files)
    if numbers and answers.shape[:3] != pixels.shape[:3]:
        raise DataError(
            f"expected masks of their images' size in {folder}, {pixels.shape[1]} by {pixels.shape[2]}, received "
            f"{answers.shape[1]} by {answers.shape[2]}; write them anew, or give an image_size"
        )
    return Split(pixels, answers)


def _has_masks(wanted: Wanted) -> bool:
    return wanted.task.name == "segmentation"


def _paired(folder: DataPath, wanted: Wanted) -> tuple[list[DataPath], list[DataPath]]:
    """Images and their targets, in the order of names."""
    listing = listed(folder)
    folders = {entry.name for entry in listing.folders}
    others = [folder / name for name in _TARGETS if name in folders]
    if _IMAGES not in folders or len(others) != 1:
        there = ", ".join(entry.name for entry in listing.entries[:8]) or "nothing"
        raise DataError(
            f"expected a folder {_IMAGES} and one of {' or '.join(_TARGETS)} in {folder}, for {wanted.task.name}, "
            f"received {there}"
        )
    images, left = image_files(folder / _IMAGES)
    targets, left_too = image_files(others[0])
    if left or left_too:
        wanted.warn(not_read(folder, [*left, *left_too], "only image files are"))
    by_name = {path.stem: path for path in targets}
    alone = [path for path in images if path.stem not in by_name]
    names = {path.stem for path in images}
    alone += [path for path in targets if path.stem not in names]
    if alone or len(by_name) < len(targets) or len(names) < len(images):
        raise DataError(
            f"expected a file of the same name in {folder / _IMAGES} and {others[0].name}, for every image, received "
            f"{named(alone) if alone else 'names that occur twice'}"
        )
    return images, [by_name[path.stem] for path in images]
