"""A few images of a data set, as a model takes them."""

import numpy as np
import numpy.typing as npt

from zoo.data.dataset import ImageDataset, Split


def drawn(dataset: ImageDataset, count: int, seed: int) -> npt.NDArray[np.float32]:
    """At most ``count`` training images without replacement, normalized, (count, H, W, C)."""
    return _drawn(dataset, dataset.train, count, seed)


def drawn_test(dataset: ImageDataset, count: int, seed: int) -> npt.NDArray[np.float32]:
    """The same of the test images."""
    return _drawn(dataset, dataset.test, count, seed)


def _drawn(dataset: ImageDataset, split: Split, count: int, seed: int) -> npt.NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    indices = generator.choice(len(split), size=min(count, len(split)), replace=False)
    return dataset.normalization(split.images[np.sort(indices)])
