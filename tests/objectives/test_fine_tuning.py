"""SGD steps against the same steps in numpy."""

from itertools import islice
from typing import Any

import keras
import numpy as np
import pytest

from compress.errors import DivergenceError, ModelError
from objectives.fine_tuning import SgdSettings, fine_tune
from objectives.whole_batches import whole_batches
from tests.objectives.images import CLASSES, SHAPE, dataset, dense_model

DATA = dataset()
SETTINGS = SgdSettings(batch_size=16, learning_rate=0.1, momentum=0.9, seed=3)


def first_batches(count: int) -> list[np.ndarray]:
    """The index arrays of the first steps: epoch after epoch from one generator."""
    rng = np.random.default_rng(SETTINGS.seed)
    epochs = (batch for _ in range(count) for batch in whole_batches(50, 16, rng))
    return list(islice(epochs, count))


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_steps_are_sgd_with_momentum_on_cross_entropy_plus_regularization(decay: float) -> None:
    model = dense_model(kernel_regularizer=keras.regularizers.L2(decay), use_bias=False)
    weights = model.get_weights()[0].astype(np.float64)
    velocity, losses = np.zeros_like(weights), []
    # Five steps: three whole batches in the first epoch of 50 images, two in the second.
    for indices in first_batches(5):
        x = DATA.normalization(DATA.train.images[indices]).reshape(16, -1).astype(np.float64)
        y = np.eye(CLASSES)[DATA.train.labels[indices]]
        p = np.exp(x @ weights) / np.exp(x @ weights).sum(1, keepdims=True)
        losses.append(-np.log((p * y).sum(1)).mean() + decay * (weights**2).sum())
        velocity = 0.9 * velocity - 0.1 * (x.T @ (p - y) / 16 + 2 * decay * weights)
        weights = weights + velocity

    assert fine_tune(model, DATA.train, DATA.normalization, SETTINGS, 5) == pytest.approx(losses, rel=1e-4)
    np.testing.assert_allclose(model.get_weights()[0], weights, rtol=1e-3, atol=1e-5)


def test_no_steps_change_nothing() -> None:
    model = dense_model()
    before = model.get_weights()
    assert fine_tune(model, DATA.train, DATA.normalization, SETTINGS, 0) == []
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_the_step_is_traced_once() -> None:
    calls = []

    class Counting(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            calls.append(inputs.shape)
            return inputs

    inputs = keras.Input(SHAPE)
    x = keras.layers.Flatten()(Counting()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))
    calls.clear()
    assert len(fine_tune(model, DATA.train, DATA.normalization, SETTINGS, 7)) == 7
    assert len(calls) == 1


def test_divergence_is_told_with_its_step_and_learning_rate() -> None:
    settings = SgdSettings(batch_size=16, learning_rate=1e38, momentum=0.9, seed=0)
    with pytest.raises(DivergenceError) as caught:
        fine_tune(dense_model(), DATA.train, DATA.normalization, settings, 6)
    assert str(caught.value).startswith("fine-tuning: expected finite losses, received ")
    assert "of 6 with learning rate 1e+38; lower the learning rate" in str(caught.value)


def test_a_frozen_model_is_refused() -> None:
    model = dense_model()
    model.trainable = False
    with pytest.raises(ModelError, match="expected trainable weights, received a frozen model"):
        fine_tune(model, DATA.train, DATA.normalization, SETTINGS, 1)


def test_steps_normalize_by_the_batch_and_move_the_statistics() -> None:
    inputs = keras.Input(SHAPE)
    x = keras.layers.BatchNormalization(name="bn", momentum=0.75)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.Flatten()(x)))
    model.get_layer("bn").moving_mean.assign([8.0, -8.0])
    kernel, (indices,) = model.layers[-1].kernel.numpy(), first_batches(1)
    batch = DATA.normalization(DATA.train.images[indices])
    mean, variance = batch.mean((0, 1, 2)), batch.var((0, 1, 2))
    logits = ((batch - mean) / np.sqrt(variance + 0.001)).reshape(16, -1) @ kernel
    own = logits[np.arange(16), DATA.train.labels[indices]]

    losses = fine_tune(model, DATA.train, DATA.normalization, SETTINGS, 1)

    assert losses == pytest.approx([(np.log(np.exp(logits).sum(1)) - own).mean()], rel=1e-4)
    expected = 0.75 * np.array([8.0, -8.0]) + 0.25 * mean
    np.testing.assert_allclose(model.get_layer("bn").moving_mean.numpy(), expected, rtol=1e-5)
