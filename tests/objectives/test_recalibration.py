"""Moving statistics against means and variances computed in numpy from the layers' inputs."""

from typing import Any

import keras
import numpy as np
import pytest

from compress.errors import DataError
from objectives.recalibration import recalibrate
from objectives.score import score
from objectives.whole_batches import whole_batches
from tests.objectives.images import SHAPE, conv_model, dataset, dense_model, split
from zoo.data.dataset import Normalization

DATA = dataset()


def two_norms() -> keras.Model:
    inputs = keras.Input(SHAPE)
    x = keras.layers.BatchNormalization(name="first", momentum=0.9)(inputs)
    x = keras.layers.ReLU()(x)
    x = keras.layers.BatchNormalization(name="second", epsilon=0.01)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x)))
    for name in ("first", "second"):
        layer = model.get_layer(name)
        layer.gamma.assign([1.5, 0.5])
        layer.beta.assign([0.2, -0.1])
        layer.moving_mean.assign([70.0, -70.0])
        layer.moving_variance.assign([900.0, 1e-4])
    return model


def run(model: keras.Model, **changes: Any) -> int:
    return recalibrate(model, DATA.train, DATA.normalization, **{"images": 40, "batch_size": 16, "seed": 5, **changes})


def batch_norm(x: np.ndarray, epsilon: float) -> np.ndarray:
    """Batch normalization of one batch by its own statistics, with two_norms's gamma and beta."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + epsilon) * [1.5, 0.5] + [0.2, -0.1]


def test_statistics_are_the_mean_over_batches_of_each_layers_inputs() -> None:
    model = two_norms()
    # 40 images of batch 16: two whole batches.
    batches = list(whole_batches(50, 16, np.random.default_rng(5)))[:2]
    first = [DATA.normalization(DATA.train.images[batch]).astype(np.float64) for batch in batches]
    second = [np.maximum(batch_norm(x, 0.001), 0) for x in first]

    assert run(model) == 2

    for name, inputs in (("first", first), ("second", second)):
        layer = model.get_layer(name)
        expected_mean = np.mean([x.mean((0, 1, 2)) for x in inputs], axis=0)
        expected_variance = np.mean([x.var((0, 1, 2)) for x in inputs], axis=0)
        np.testing.assert_allclose(layer.moving_mean.numpy(), expected_mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.moving_variance.numpy(), expected_variance, rtol=1e-5)


def test_nothing_else_changes() -> None:
    model = two_norms()
    before = [weight.numpy() for weight in model.trainable_variables]
    run(model)
    for weight, old in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    assert [model.get_layer(name).momentum for name in ("first", "second")] == [0.9, 0.99]


def test_a_layer_that_is_not_trainable_is_left_alone() -> None:
    model = two_norms()
    model.get_layer("second").trainable = False
    assert run(model) == 1
    np.testing.assert_array_equal(model.get_layer("second").moving_mean.numpy(), np.float32([70, -70]))
    assert abs(model.get_layer("first").moving_mean.numpy()).max() < 1


def test_layers_of_a_nested_model_count() -> None:
    inputs = keras.Input(SHAPE)
    assert run(keras.Model(inputs, two_norms()(inputs))) == 2


def test_a_model_without_batch_normalization_takes_no_pass() -> None:
    class Unread(Normalization):
        def __call__(self, images: Any) -> Any:
            raise DataError("expected no image to be read")

    unread = Unread(1.0, (0.0, 0.0), (1.0, 1.0))
    assert recalibrate(dense_model(), DATA.train, unread, images=40, batch_size=16, seed=5) == 0
    with pytest.raises(DataError):
        recalibrate(two_norms(), DATA.train, unread, images=40, batch_size=16, seed=5)


def test_momentum_comes_back_after_an_error() -> None:
    model, calls = two_norms(), []

    class Failing(Normalization):
        def __call__(self, images: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise DataError("a bad image")
            return super().__call__(images)

    with pytest.raises(DataError, match="a bad image"):
        recalibrate(model, DATA.train, Failing(1.0, (0.0, 0.0), (1.0, 1.0)), images=40, batch_size=16, seed=5)
    assert [model.get_layer(name).momentum for name in ("first", "second")] == [0.9, 0.99]


@pytest.mark.parametrize(("images", "batch_size"), [(1000, 64), (50, 50), (1000, 1000)])
def test_a_small_split_is_one_batch_of_all_its_images(images: int, batch_size: int) -> None:
    model = two_norms()
    run(model, images=images, batch_size=batch_size)
    every = DATA.normalization(DATA.train.images)
    np.testing.assert_allclose(model.get_layer("first").moving_mean.numpy(), every.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(model.get_layer("first").moving_variance.numpy(), every.var((0, 1, 2)), rtol=1e-5)


def test_a_model_with_broken_statistics_comes_back() -> None:
    model = conv_model()
    large = split(600, 9)
    model.compile(optimizer=keras.optimizers.SGD(0.2, momentum=0.9), loss="sparse_categorical_crossentropy")
    model.fit(DATA.normalization(large.images), large.labels, batch_size=50, epochs=6, verbose=0)
    recalibrate(model, large, DATA.normalization, images=600, batch_size=100, seed=0)
    whole = score(model, large, DATA.normalization, 100)
    model.get_layer("bn").moving_mean.assign(np.full(6, 30.0))
    broken = score(model, large, DATA.normalization, 100)
    recalibrate(model, large, DATA.normalization, images=600, batch_size=100, seed=1)
    mended = score(model, large, DATA.normalization, 100)
    assert whole.accuracy > 0.8
    assert broken.accuracy < 0.5
    assert mended.accuracy == pytest.approx(whole.accuracy, abs=0.01)
    assert mended.loss == pytest.approx(whole.loss, abs=0.02)
