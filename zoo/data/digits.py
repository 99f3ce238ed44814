"""The handwritten digits of scikit-learn: 1,797 real 8x8 grey images in the package, no download."""

import numpy as np
from sklearn.datasets import load_digits

from zoo.data.source import SourceData, as_split
from zoo.data.split import stratified_split

# Large enough (540 images) that two compressed models' accuracies can be told apart.
TEST_FRACTION = 0.3


def digits(seed: int) -> SourceData:
    """Pixels 0 to 16 as uint8 (N, 8, 8, 1); the test split is a stratified 30 % drawn by `seed`."""
    bundle = load_digits()
    everything = as_split(bundle.images.astype(np.uint8), bundle.target, "digits")
    train, test = stratified_split(everything, TEST_FRACTION, seed, held_out="test")
    return SourceData("digits", train, test, tuple("0123456789"), scale=16.0)
