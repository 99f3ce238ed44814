"""Stratified, seeded division of a split in two."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from sklearn.model_selection import train_test_split

from compress.errors import DataError
from zoo.data.dataset import Split


def stratified_split(
    split: Split, fraction: float, seed: int, *, held_out: str, class_names: Sequence[str] | None = None
) -> tuple[Split, Split]:
    """Divide a split into (rest, held out), disjoint and both with every class in the split's proportions.

    fraction: share of the images to hold out, in (0, 1), rounded up to whole images.
    held_out: what the held-out part is for, and class_names: the class of each label; both for the message.
    Raises DataError for another fraction, or naming the class too small to be in both parts.
    """
    if not 0 < fraction < 1:
        raise DataError(f"expected a {held_out} fraction in (0, 1), received {fraction}")
    count = ceil(fraction * len(split))
    _check_classes(split, count, held_out, class_names)
    rest, held = train_test_split(np.arange(len(split)), test_size=count, random_state=seed, stratify=split.labels)
    return _take(split, rest), _take(split, held)


def _check_classes(split: Split, count: int, held_out: str, class_names: Sequence[str] | None) -> None:
    """Each class needs an expected share of at least one image in both parts; scikit-learn then gives it one."""
    total = len(split)
    labels, sizes = np.unique(split.labels, return_counts=True)
    for label, size in zip(labels.tolist(), sizes.tolist(), strict=True):
        if min(size * count, size * (total - count)) < total:
            name = class_names[label] if class_names else label
            raise DataError(
                f"expected enough images of class {name!r} for the {held_out} split and the rest, received {size} "
                f"({count} of {total} images are held out); add images, or change the {held_out} fraction"
            )


def _take(split: Split, indices: np.ndarray) -> Split:
    # Sorted, so that gathering from the copy keeps the source's order whatever the shuffle was.
    ordered = np.sort(indices)
    return Split(split.images[ordered], split.labels[ordered])
