"""Checks of a loaded data set that need no model: its pixel values, its classes, its validation split."""

import hashlib
from dataclasses import dataclass
from math import prod

import numpy as np

from compress.errors import DataError
from zoo.data.dataset import ImageDataset, Images

_SAMPLE, _PIXELS = 256, 2**21
"""Training images whose pixels are looked at, and pixels of all of them: 41 images of 224 by 224."""

_LARGEST_OVERLAP = 0.1


@dataclass(frozen=True)
class Bounds:
    """Of normalized pixels: the mean's distance from 0, and the standard deviation, in the channel of the most."""

    mean: float
    least_deviation: float
    most_deviation: float


POSSIBLE = Bounds(256.0, 0.01, 128.0)
"""Whatever is done to 8-bit images on purpose lies within.

Raw pixels (mean below 255, deviation below 128), as networks with a Rescaling layer of their own take them; the mean
alone subtracted, as older networks of keras.applications want it (deviation 60 to 75); division by 255 (deviation about
0.25); and the defaults of tuckprune, near 0 and 1 (measured: digits 0.00 and 1.00, CIFAR-10 0.02 and 1.24). Outside are
pixels of 0 to 255 with a mean and a deviation meant for 0 to 1 (600 and 300), pixels of 0 to 1 divided by 255 (0.005),
and images that are all of one colour (0).
"""

USUAL = Bounds(5.0, 0.1, 5.0)
"""What networks are trained on, unless they rescale images themselves or were trained on raw pixels."""


def check_dataset(dataset: ImageDataset, class_names: tuple[str, ...] | None = None) -> None:
    """Refuse a data set that cannot be trained on and scored as it is.

    class_names: the class of each label, for messages.

    Raises:
        DataError: targets that the task refuses, or pixel values far from what a network is trained on.
    """
    targets = {part: split.targets for part, split in dataset.parts.items()}
    dataset.task.check(targets, dataset.name, class_names)
    problem = value_problem(dataset, POSSIBLE)
    if problem is not None:
        raise DataError(problem)


def value_problem(dataset: ImageDataset, bounds: Bounds) -> str | None:
    """What is out of bounds in the pixels of some training images after normalization; None if nothing is."""
    count = max(1, min(_SAMPLE, len(dataset.train), _PIXELS // prod(dataset.train.images.shape[1:-1])))
    images = dataset.train.images[np.linspace(0, len(dataset.train) - 1, count).astype(int)]
    pixels = dataset.normalization(images)
    axes = tuple(range(pixels.ndim - 1))
    means = pixels.mean(axis=axes, dtype=np.float64)
    mean, deviation = float(means[np.abs(means).argmax()]), float(pixels.std(axis=axes, dtype=np.float64).max())
    if abs(mean) <= bounds.mean and bounds.least_deviation <= deviation <= bounds.most_deviation:
        return None
    norm = dataset.normalization
    return (
        f"expected training images with values near 0 and 1 after normalization in data set {dataset.name!r}, received "
        f"mean {mean:.4g} and standard deviation {deviation:.4g} in the channel of the most: pixels from "
        f"{images.min():.4g} to {images.max():.4g}, data.scale {norm.scale:g}, data.mean {_numbers(norm.mean)}, "
        f"data.std {_numbers(norm.std)}; correct these keys to the values that the model was trained with"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return f"[{', '.join(f'{value:.4g}' for value in values)}]"


def check_disjoint(dataset: ImageDataset) -> None:
    """Refuse splits of a user's own making that train on what is validated.

    Real collections hold a few images twice; a tenth of the validation images is no accident.

    Raises:
        DataError: more than a tenth of the validation images are in the training split too.
    """
    training = {_digest(image) for image in dataset.train.images}
    twice = sum(_digest(image) in training for image in dataset.validation.images)
    if twice > _LARGEST_OVERLAP * len(dataset.validation):
        raise DataError(
            f"expected validation images that are not trained on in data set {dataset.name!r}, received {twice} of "
            f"{len(dataset.validation)} that are in the training split too; take them out of one of the two"
        )


def _digest(image: Images) -> bytes:
    """Sixteen bytes that stand for an image, so that the training split is not held twice."""
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()
