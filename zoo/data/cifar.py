"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) through keras.datasets, which downloads and caches them."""

from compress.errors import DataError
from zoo.data.source import SourceData, as_split, numbered_classes, one_line


def cifar(name: str) -> SourceData:
    """name: `cifar10` or `cifar100` (fine labels). Raises DataError when the download fails."""
    # Imported here: every other source works without loading TensorFlow.
    import keras

    module = {"cifar10": keras.datasets.cifar10, "cifar100": keras.datasets.cifar100}[name]
    try:
        (train_images, train_labels), (test_images, test_labels) = module.load_data()
    except Exception as error:  # Keras reports a failed download as a plain Exception.
        raise DataError(
            f"expected to download {name} through keras.datasets, received {one_line(error)}; "
            "connect to the network, or give an image folder or an .npz file"
        ) from error
    train = as_split(train_images, train_labels, f"{name} train")
    test = as_split(test_images, test_labels, f"{name} test")
    return SourceData(name, train, test, numbered_classes(train, test))
