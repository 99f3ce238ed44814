"""Splits, normalization and the fit of a model, against values worked out by hand."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from zoo.data.dataset import ImageDataset, Normalization, Split, check_model_fits
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.image_to_image import ImageToImage


def _split(labels: list[int], shape: tuple[int, int, int] = (2, 2, 1)) -> Split:
    return Split(np.zeros((len(labels), *shape), np.uint8), np.array(labels, np.int64))


def _float_split() -> Split:
    return Split(np.zeros((1, 2, 2, 1), np.float32), np.zeros(1, np.int64))


_PLAIN = Normalization(255.0, (0.0,), (1.0,))


def _dataset(**changes: object) -> ImageDataset:
    fields = {"train": _split([0, 1]), "validation": _split([1]), "test": _split([0]), "normalization": _PLAIN}
    return ImageDataset(**{"name": "tiny", "task": Classification(2), **fields, **changes})


def test_normalization_by_hand() -> None:
    normalization = Normalization(255.0, (0.5, 0.2), (0.25, 0.1))
    out = normalization(np.array([[[[255, 0]]], [[[51, 102]]]], np.uint8))
    # (1 - 0.5) / 0.25, (0 - 0.2) / 0.1; (0.2 - 0.5) / 0.25, (0.4 - 0.2) / 0.1
    np.testing.assert_allclose(out.ravel(), [2.0, -2.0, -1.2, 2.0], rtol=1e-6)
    assert out.dtype == np.float32


def test_normalization_of_images_in_any_order_of_their_memory() -> None:
    normalization = Normalization(2.0, (1.0, 2.0, 3.0), (1.0, 2.0, 4.0))
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    expected = (images / 2 - [1, 2, 3]) / [1, 2, 4]
    for same in (images, np.asfortranarray(images), np.flip(np.flip(images, 2).copy(), 2)):
        np.testing.assert_allclose(normalization(same), expected, rtol=1e-6)
    np.testing.assert_allclose(normalization(images[0, 0, 0]), expected[0, 0, 0], rtol=1e-6)
    assert normalization(images[:0]).shape == (0, 4, 5, 3)


def test_normalization_leaves_float_images_alone() -> None:
    images = np.full((1, 1, 1, 1), 3.0, np.float32)
    images.flags.writeable = False
    assert Normalization(1.0, (1.0,), (2.0,))(images).item() == 1.0
    assert images.item() == 3.0


def test_normalization_refuses_other_channels() -> None:
    with pytest.raises(DataError, match=r"images of 3 channels.*\(4, 2, 2, 1\)"):
        Normalization(255.0, (0.5,) * 3, (0.2,) * 3)(np.zeros((4, 2, 2, 1), np.uint8))


def test_fitted_mean_and_deviation_by_hand() -> None:
    images = np.array([0, 4, 8, 4], np.uint8).reshape(2, 2, 1, 1)
    fitted = Normalization.fit(images, 16.0)
    assert fitted == Normalization(16.0, (0.25,), (np.sqrt(8) / 16,))


@given(st.integers(1, 2500), st.integers(0, 100))
def test_fitted_images_have_mean_0_and_deviation_1(count: int, seed: int) -> None:
    """Across the chunks that the statistics are summed in."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 2, 3, 2), np.uint8)
    images[0, 0, 0], images[0, 1, 1] = 0, 255
    normalized = Normalization.fit(images, 255.0)(images).astype(np.float64)
    np.testing.assert_allclose(normalized.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(normalized.std(axis=(0, 1, 2)), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("scale", "mean", "std", "message"),
    [
        (0.0, (0.5,), (0.2,), "positive scale .* received 0.0"),
        (255.0, (0.5,), (0.0,), r"received 255.0 and \(0.0,\)"),
        (255.0, (0.5, 0.5), (0.2,), r"as many finite means as standard deviations.*mean \(0.5, 0.5\)"),
        (255.0, (float("nan"),), (0.2,), r"mean \(nan,\)"),
        (255.0, (), (), "received scale 255.0"),
    ],
)
def test_an_impossible_normalization_is_refused(
    scale: float, mean: tuple[float, ...], std: tuple[float, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Normalization(scale, mean, std)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 4), np.uint8), np.zeros(2, np.int64), r"received \(2, 4\)"),
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros(0, np.int64), r"none 0; received \(0, 4, 4, 1\)"),
        (np.zeros((2, 4, 4, 1)), np.zeros(2, np.int64), "uint8 or float32 images, received float64"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(3, np.int64), r"shape \(2,\).*received int64 of shape \(3,\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, bool), "received bool"),
    ],
)
def test_malformed_splits_are_refused(images: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Split(images, labels)


def test_a_pixel_that_is_not_finite_is_found() -> None:
    images = np.zeros((3, 2, 2, 1), np.float32)
    images[1, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="NaN or infinity in image 1"):
        Split(images, np.zeros(3, np.int64))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": _split([2])}, "validation labels from 0 to 1 .* received 2 to 2"),
        ({"test": _split([-1, 0])}, "test labels from 0 to 1 .* received -1 to 0"),
        ({"test": _split([0], (3, 2, 1))}, r"test images of shape \(2, 2, 1\).*received \(3, 2, 1\)"),
        ({"test": _float_split()}, "test images of uint8 in data set 'tiny', as in training, .* received float32"),
        ({"normalization": Normalization(255.0, (0.0,) * 3, (1.0,) * 3)}, "normalization of 1 channels"),
    ],
)
def test_malformed_data_sets_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _dataset(**changes)


def test_a_data_set_is_pickled_with_its_arrays() -> None:
    dataset = pickle.loads(pickle.dumps(_dataset()))
    assert dataset.image_shape == (2, 2, 1) and dataset.normalization == _PLAIN
    assert dataset.train.targets.tolist() == [0, 1]


def _model(shape: tuple[int | None, ...], classes: int) -> keras.Model:
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.GlobalAveragePooling2D()(inputs)))


def test_a_model_that_fits() -> None:
    check_model_fits(_dataset(), _model((2, 2, 1), 2))
    check_model_fits(_dataset(), _model((None, None, 1), 2))


def test_a_model_of_another_image_shape_is_named_with_both() -> None:
    with pytest.raises(DataError, match=r"input shape \(2, 2, 3\), received \(2, 2, 1\) from data set 'tiny'"):
        check_model_fits(_dataset(), _model((2, 2, 3), 2))


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("structure", [list, lambda tensors: {tensor.name: tensor for tensor in tensors}])
def test_a_model_of_several_inputs_is_refused_with_what_takes_it(count: int, structure: Callable[..., Any]) -> None:
    inputs = [keras.Input((2, 2, 1), name=name) for name in "abc"[:count]]
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(tensor) for tensor in inputs])
    model = keras.Model(structure(inputs), keras.layers.Dense(3)(joined))
    with pytest.raises(DataError, match="received the inputs a, b.* by the task compiled or outputs"):
        check_model_fits(_dataset(), model)


def test_a_model_of_another_class_count_is_named_with_both() -> None:
    with pytest.raises(DataError, match=r"output \(3,\), received 2 from data set 'tiny'"):
        check_model_fits(_dataset(), _model((2, 2, 1), 3))
    check_model_fits(replace(_dataset(), task=Classification(3)), _model((2, 2, 1), 3))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (13, r"expected images of a size that model 'net' can compute, received \(13, 13, 3\) from data set 'mine'"),
        (12, r"expected outputs of the targets' shape \(12, 12, 1\) in data set 'mine', received \(10, 10, 1\)"),
    ],
)
def test_a_model_of_any_size_is_tried_at_that_of_the_images(size: int, message: str) -> None:
    inputs = keras.Input((None, None, 3))
    halved = keras.layers.UpSampling2D()(keras.layers.MaxPooling2D()(inputs))
    joined = keras.layers.Concatenate()([inputs, halved])
    model = keras.Model(inputs, keras.layers.Conv2D(1, 3)(joined), name="net")
    split = Split(np.zeros((2, size, size, 3), np.uint8), np.zeros((2, size, size, 1), np.float32))
    data = ImageDataset("mine", split, split, split, ImageToImage(), Normalization(1.0, (0.0,) * 3, (1.0,) * 3))
    with pytest.raises(DataError, match=message):
        check_model_fits(data, model)
