"""Small data sets and models whose behaviour can be worked out by hand."""

from typing import Any

import keras
import numpy as np

from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.tasks.kinds.classification import Classification

SHAPE = (4, 4, 2)
CLASSES = 3


def split(count: int, seed: int) -> Split:
    """Noise images whose class is a shift of the first channel, and so can be learned."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    images = rng.normal(0, 1, (count, *SHAPE)).astype(np.float32)
    images[..., 0] += labels[:, None, None]
    return Split(images, labels.astype(np.int64))


def dataset(normalization: Normalization | None = None, **splits: Split) -> ImageDataset:
    """Sizes are no multiples of the batch sizes in the tests."""
    parts = {"train": split(50, 1), "validation": split(21, 2), "test": split(13, 3), **splits}
    default = Normalization(2.0, (0.5, 0.1), (2.0, 0.5))
    return ImageDataset(name="noise", task=Classification(CLASSES), normalization=normalization or default, **parts)


def dense_model(seed: int = 0, **dense: Any) -> keras.Model:
    """Softmax regression: its gradients fit in a line of numpy."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(SHAPE, name="input")
    flat = keras.layers.Flatten(name="flat")(inputs)
    outputs = keras.layers.Dense(CLASSES, activation="softmax", name="head", **dense)(flat)
    return keras.Model(inputs, outputs)


def conv_model(seed: int = 0) -> keras.Model:
    """Convolution, batch normalization, dropout: what makes judging a candidate less than obvious.

    Named, so that networks of one proxy are shared.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(SHAPE, name="input")
    x = keras.layers.Conv2D(6, 3, padding="same", use_bias=False, name="conv")(inputs)
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="bn")(x))
    x = keras.layers.Dropout(0.2, name="dropout")(keras.layers.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax", name="head")(x))


def copy(model: keras.Model) -> keras.Model:
    """A model of the same weights, its random layers seeded anew."""
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    return twin
