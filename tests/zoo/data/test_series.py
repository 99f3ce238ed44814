"""Series, (N, steps, channels): arrays of three axes that are no grey images."""

import keras
import numpy as np
import pytest

from compress.errors import DataError
from zoo.data.batches import CropAndFlip, ImageBatches, OrderedBatches
from zoo.data.checks import USUAL, value_problem
from zoo.data.dataset import Normalization, Split, check_model_fits, takes_series
from zoo.data.load import load_dataset
from zoo.tasks.kinds.classification import Classification


@pytest.fixture
def source(tmp_path):
    """Six steps of two channels: 0 and 10, 2 and 30; so means 1 and 20, deviations 1 and 10."""
    labels = np.arange(40) % 2
    values = np.zeros((40, 6, 2), np.float32)
    values[:, ::2], values[:, 1::2] = (0, 10), (2, 30)
    np.savez(tmp_path / "a.npz", x_train=values[:20], y_train=labels[:20], x_test=values[20:], y_test=labels[20:])
    return str(tmp_path / "a.npz")


def test_they_are_loaded_and_normalized_by_channel(source):
    data = load_dataset(source, series=True, validation=0.2)
    assert data.is_series and data.image_shape == (6, 2)
    assert data.normalization == Normalization(1.0, (1.0, 20.0), (1.0, 10.0))
    images, labels = OrderedBatches(data.test, data.normalization, 4)[0]
    np.testing.assert_allclose(images[0], [[-1, -1], [1, 1]] * 3)
    assert labels.tolist() == [0, 1, 0, 1] and value_problem(data, USUAL) is None


def test_without_being_told_they_are_grey_images(source):
    data = load_dataset(source, validation=0.2)
    assert not data.is_series and data.image_shape == (6, 2, 1)


def test_the_model_says_which(source):
    series, image = keras.Input((None, 2)), keras.Input((6, 2, 1))
    ends = {"series": keras.layers.GlobalAveragePooling1D()(series), "image": keras.layers.Flatten()(image)}
    models = {
        name: keras.Model(inputs, keras.layers.Dense(2)(ends[name]))
        for name, inputs in (("series", series), ("image", image))
    }
    assert {name: takes_series(model) for name, model in models.items()} == {"series": True, "image": False}
    assert not takes_series(keras.Model([series, image], list(ends.values())))
    check_model_fits(load_dataset(source, series=True), models["series"])
    check_model_fits(load_dataset(source), models["image"])
    with pytest.raises(DataError, match=r"the model's input shape \(None, 2\), received \(6, 2, 1\)"):
        check_model_fits(load_dataset(source), models["series"])


def test_a_value_that_is_not_finite_names_the_series():
    values = np.zeros((3, 4, 2), np.float32)
    values[1, 2, 0] = np.nan
    with pytest.raises(DataError, match="NaN or infinity in image 1"):
        Split(values, np.zeros(3, np.int64))


def test_augmentation_is_for_images(source):
    data = load_dataset(source, series=True)
    with pytest.raises(DataError, match=r"expected images to augment, .*, received series of shape .*augment: null"):
        ImageBatches(
            data.train, data.normalization, 4, seed=0, task=Classification(2), augmentation=CropAndFlip(1, True)
        )
