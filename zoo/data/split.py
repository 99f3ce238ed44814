"""Splits of a data set: validation images, limits, samples."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from compress.errors import DataError
from zoo.data.dataset import Data, ImageDataset, Split
from zoo.tasks.own_task import OwnTask


def stratified_split(
    split: Split, fraction: float, seed: int, *, held_out: str, class_names: Sequence[str] | None = None
) -> tuple[Split, Split]:
    """Divide a split into (rest, held out), disjoint; of class numbers both with every class in their proportions.

    fraction: share of the images to hold out, in (0, 1), rounded up to whole images.
    held_out: what the held-out part is for, and class_names: the class of each label; both for the message.
    Raises DataError for another fraction, or naming the class too small to be in both parts.
    """
    if not 0 < fraction < 1:
        raise DataError(f"expected a {held_out} fraction in (0, 1), received {fraction}")
    count = ceil(fraction * len(split))
    if count == len(split):
        raise DataError(f"expected images for the {held_out} split and the rest, received {len(split)}; add images")
    return _divided(split, count, seed, held_out, class_names)


def _divided(
    split: Split, count: int, seed: int, held_out: str, class_names: Sequence[str] | None = None
) -> tuple[Split, Split]:
    """The rest and so many images that are held out, classes in proportion; refuses what `stratified_split` does."""
    # scikit-learn takes a second to import, and whoever only names a data source needs none of it.
    from sklearn.model_selection import train_test_split

    strata = split.targets if split.targets.ndim == 1 and split.targets.dtype.kind == "i" else None
    if strata is not None:
        _check_classes(split, count, held_out, class_names)
    rest, held = train_test_split(np.arange(len(split)), test_size=count, random_state=seed, stratify=strata)
    return _take(split, rest), _take(split, held)


def _check_classes(split: Split, count: int, held_out: str, class_names: Sequence[str] | None) -> None:
    """Each class needs an expected share of at least one image in both parts; scikit-learn then gives it one."""
    total = len(split)
    labels, sizes = np.unique(split.targets, return_counts=True)
    for label, size in zip(labels.tolist(), sizes.tolist(), strict=True):
        if min(size * count, size * (total - count)) < total:
            name = class_names[label] if class_names else label
            raise DataError(
                f"expected enough images of class {name!r} for the {held_out} split and the rest, received {size} "
                f"({count} of {total} images are held out); add images, or change the {held_out} fraction"
            )


def _take(split: Split, indices: np.ndarray) -> Split:
    # Sorted, so that gathering from the copy keeps the source's order whatever the shuffle was.
    return split.take(np.sort(indices))


def limited(dataset: ImageDataset, *, train: int | None, test: int | None, seed: int) -> ImageDataset:
    """The data set with at most so many training and test images; validation is left as it is.

    Raises:
        DataError: too few images for every class to be among them, or for what else the task asks of a split.
    """
    made = replace(
        dataset,
        train=_at_most(dataset.train, train, seed, "train_limit"),
        test=_at_most(dataset.test, test, seed, "test_limit"),
    )
    try:
        made.task.check({part: split.targets for part, split in made.parts.items()}, made.name)
    except DataError as error:
        raise DataError(f"{error}; or raise data.train_limit or data.test_limit") from None
    return made


def decoded(dataset: ImageDataset, in_memory: float) -> ImageDataset:
    """The data set with all images decoded, where they take at most so many bytes; else as it is.

    Raises:
        DataError: a file that cannot be decoded.
    """
    if sum(split.images.nbytes + split.targets.nbytes for split in dataset.parts.values()) > in_memory:
        return dataset
    train, validation, test = (split.decoded() for split in dataset.parts.values())
    return replace(dataset, train=train, validation=validation, test=test)


def _at_most(split: Split, count: int | None, seed: int, key: str) -> Split:
    if count is None or count >= len(split):
        return split
    return _divided(split, count, seed, key)[1]


def drawn(dataset: Data, count: int, seed: int) -> npt.NDArray[np.float32]:
    """At most ``count`` training images without replacement, normalized, (count, H, W, C).

    Raises:
        ConfigError: a task of the user's own that gives no images.
    """
    if isinstance(dataset, OwnTask):
        return dataset.images(count)
    return _drawn(dataset, dataset.train, count, seed)


def drawn_test(dataset: ImageDataset, count: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    """At most ``count`` test images without replacement, normalized, (count, H, W, C), and their targets."""
    return _drawn(dataset, dataset.test, count, seed), dataset.test.targets[drawn_numbers(dataset.test, count, seed)]


def _drawn(dataset: ImageDataset, split: Split, count: int, seed: int) -> npt.NDArray[np.float32]:
    return dataset.normalization(split.images[drawn_numbers(split, count, seed)])


def drawn_numbers(split: Split, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Numbers of at most ``count`` images of a split, without replacement, in their order."""
    generator = np.random.default_rng(seed)
    return np.sort(generator.choice(len(split), size=min(count, len(split)), replace=False))
