"""Weights are judged with statistics of batch normalization of their own."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest

from zoo.data.dataset import ImageDataset
from zoo.data.load import load_dataset
from zoo.training.evaluation import evaluate
from zoo.training.recalibration import BatchStatistics, Recalibration
from zoo.training.training import TrainingSettings, train

layers = keras.layers
BATCHES = [np.random.default_rng(seed).normal(seed, 1 + seed, (4, 3, 3, 2)).astype(np.float32) for seed in range(3)]


def _statistics(images: np.ndarray) -> np.ndarray:
    return np.array([images.mean((0, 1, 2)), images.var((0, 1, 2))], np.float64)


def _moving(layer: Any) -> np.ndarray:
    return np.array([layer.moving_mean.numpy(), layer.moving_variance.numpy()])


def test_statistics_are_the_mean_over_batches() -> None:
    inner = keras.Sequential([keras.Input((3, 3, 2)), layers.BatchNormalization(name="inner")])
    first, frozen = layers.BatchNormalization(name="first"), layers.BatchNormalization(name="frozen", trainable=False)
    kept, inputs = layers.BatchNormalization(name="kept", momentum=1.0), keras.Input((3, 3, 2))
    x = kept(frozen(layers.Dropout(0.5)(inner(2 * first(inputs)))))
    model = keras.Model(inputs, x)
    before = [variable.numpy() for variable in model.variables]
    BatchStatistics(model).estimate(iter(BATCHES))
    np.testing.assert_allclose(_moving(first), np.mean([_statistics(batch) for batch in BATCHES], axis=0), rtol=1e-5)
    # Behind the first layer and the doubling: of each batch's own statistics, not of the moving ones.
    expected = []
    for batch in BATCHES:
        mean, variance = _statistics(batch)
        expected.append(_statistics(2 * (batch - mean) / np.sqrt(variance + 1e-3)))
    np.testing.assert_allclose(_moving(inner.get_layer("inner")), np.mean(expected, axis=0), rtol=1e-4, atol=1e-5)
    moved = [id(v) for layer in (first, inner.get_layer("inner")) for v in (layer.moving_mean, layer.moving_variance)]
    for variable, value in zip(model.variables, before, strict=True):
        assert id(variable) in moved or (variable.numpy() == value).all()
    assert first.momentum == 0.99 and "call" not in vars(first)


def test_a_shared_layer_has_the_mean_over_its_calls() -> None:
    inputs, norm = keras.Input((3, 3, 2)), layers.BatchNormalization()
    BatchStatistics(keras.Model(inputs, norm(inputs) + norm(3 * inputs + 1))).estimate(BATCHES)
    expected = np.mean([_statistics(x) for batch in BATCHES for x in (batch, 3 * batch + 1)], axis=0)
    np.testing.assert_allclose(_moving(norm), expected, rtol=1e-5)


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset("digits", validation=0.3)


class _Recorder(keras.callbacks.Callback):
    """Keeps the accuracy of every validation."""

    def __init__(self) -> None:
        super().__init__()
        self.accuracies: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.accuracies.append((logs or {})["val_accuracy"])


def _norms() -> keras.Model:
    """Of Keras's default momentum, 0.99."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for filters in (8, 16):
        model.add(layers.Conv2D(filters, 3, strides=2, use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dense(10, "softmax"))
    return model


def test_images_are_those_of_training_unchanged(digits: ImageDataset) -> None:
    callback = Recalibration(_norms(), digits, 64, 0)
    images = np.concatenate(list(callback._images()))
    known = {image.tobytes() for image in digits.normalization(digits.train.images)}
    assert len(images) == 64 * (min(len(digits.train), 1024) // 64)
    assert len({image.tobytes() for image in images}) > 0.95 * len(images)
    assert all(image.tobytes() in known for image in images)


def test_few_steps_are_judged_by_their_own_statistics(digits: ImageDataset) -> None:
    model, recorder = _norms(), _Recorder()
    result = train(model, digits, TrainingSettings(epochs=2, learning_rate=0.05, batch_size=64), [recorder])
    assert result.validation == max(recorder.accuracies)
    assert evaluate(model, digits, digits.validation).figures["accuracy"] == pytest.approx(result.validation)
    assert result.validation > 0.85
    # Estimated anew, the statistics are those that the model was left with.
    left = [v.numpy() for v in model.non_trainable_variables]
    Recalibration(model, digits, 64, 0).on_test_begin()
    for variable, value in zip(model.non_trainable_variables, left, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-6)
