"""Whether the original model knows the images that it is to be compressed on."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from compress.errors import DataError
from objectives.prediction import predict
from zoo.data.checks import USUAL, value_problem
from zoo.data.dataset import ImageDataset, Split

_IMAGES, _BATCH = 1000, 128


def check_original(model: Any, dataset: ImageDataset, seed: int, warn: Callable[[str], None]) -> None:
    """Warn where the model is no better than chance on at most 1,000 validation images.

    Chance is the share of the commonest class, and two standard errors more. Such a model is either untrained, or sees
    other images, or other class numbers, than it was trained with.

    Raises:
        DataError: it is no better than chance, and pixels after normalization are far from what is usual.
    """
    labels, outputs = _sampled(model, dataset, seed)
    accuracy, chance = float(np.mean(outputs.argmax(axis=-1) == labels)), float(np.bincount(labels).max() / len(labels))
    if accuracy > chance + 2 * math.sqrt(chance * (1 - chance) / len(labels)):
        return
    found = (
        f"the original model scores {100 * accuracy:.1f} % on {len(labels)} validation images of data set "
        f"{dataset.name!r}, where the commonest class has {100 * chance:.1f} %"
    )
    problem = value_problem(dataset, USUAL)
    if problem is not None:
        raise DataError(f"{found}: {problem}")
    warn(f"{found}: check that it is trained, the order of the classes, and data.scale, data.mean and data.std")


def _sampled(model: Any, dataset: ImageDataset, seed: int) -> tuple[Any, Any]:
    """Labels and outputs of some validation images, drawn by the seed."""
    split = dataset.validation
    count = min(_IMAGES, len(split))
    drawn = np.sort(np.random.default_rng(seed).choice(len(split), size=count, replace=False))
    sample = Split(split.images[drawn], split.labels[drawn])
    return sample.labels, predict(model, sample, dataset.normalization, _BATCH)
