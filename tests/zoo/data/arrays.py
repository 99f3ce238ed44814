"""Small arrays of images, and images as what can be compared in any order."""

import numpy as np

from zoo.data.dataset import Split


def two_classes(count: int = 20, **changes: object) -> dict[str, object]:
    """Two classes of noise in Keras's convention, with some entries changed."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (count, 4, 4, 3), np.uint8), np.arange(count) % 2
    return {"x_train": images, "y_train": labels, "x_test": images[:4], "y_test": labels[:4], **changes}


def image_bytes(*splits: Split) -> list[bytes]:
    """Every image's bytes, sorted."""
    return sorted(image.tobytes() for split in splits for image in split.images)
