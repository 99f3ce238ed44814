"""Data sets that come with a package or that Keras downloads: digits, CIFAR-10 and CIFAR-100."""

import numpy as np

from compress.errors import DataError, typed_line
from zoo.data.source import SourceData, Wanted, as_split, named_source
from zoo.data.split import stratified_split

# Large enough (540 images) that two compressed models' accuracies can be told apart.
TEST_FRACTION = 0.3


@named_source("digits")
def digits(wanted: Wanted) -> SourceData:
    """Pixels 0 to 16 as uint8 (N, 8, 8, 1); the test split is a stratified 30 % drawn by the seed."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    everything = as_split(bundle.images.astype(np.uint8), bundle.target, "digits", wanted.task)
    train, test = stratified_split(everything, TEST_FRACTION, wanted.seed, held_out="test")
    return SourceData("digits", train, test, tuple("0123456789"), scale=16.0)


@named_source("cifar100")
@named_source("cifar10")
def cifar(wanted: Wanted) -> SourceData:
    """CIFAR-10, or CIFAR-100 with its fine labels. Raises DataError when the download fails."""
    name = wanted.source
    # Imported here: every other source works without loading TensorFlow.
    import keras

    module = {"cifar10": keras.datasets.cifar10, "cifar100": keras.datasets.cifar100}[name]
    try:
        (train_images, train_targets), (test_images, test_targets) = module.load_data()
    except Exception as error:  # Keras reports a failed download as a plain Exception.
        raise DataError(
            f"expected to download {name} through keras.datasets, received {typed_line(error)}; "
            "connect to the network, or give an image folder or an .npz file"
        ) from error
    train = as_split(train_images, train_targets, f"{name} train", wanted.task)
    test = as_split(test_images, test_targets, f"{name} test", wanted.task)
    return SourceData(name, train, test)
