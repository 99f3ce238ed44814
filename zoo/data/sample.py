"""A few images of the training split, as a model takes them."""

import numpy as np
import numpy.typing as npt

from zoo.data.dataset import ImageDataset


def drawn(dataset: ImageDataset, count: int, seed: int) -> npt.NDArray[np.float32]:
    """At most ``count`` training images without replacement, normalized, (count, H, W, C)."""
    images, generator = dataset.train.images, np.random.default_rng(seed)
    indices = generator.choice(len(images), size=min(count, len(images)), replace=False)
    return dataset.normalization(images[np.sort(indices)])
