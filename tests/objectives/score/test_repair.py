"""Repair against the same steps and statistics in numpy."""

from itertools import islice
from typing import Any

import keras
import numpy as np
import pytest

from compress.cloning.user_rules import rule
from compress.errors import DataError, DivergenceError, ModelError
from objectives.score.repair import batches_from
from tests.objectives.images import CLASSES, SHAPE, conv_model, dataset, dense_model
from tests.objectives.network.networks import repair_of
from zoo.data.batches import whole_batches
from zoo.data.dataset import Normalization

DATA = dataset()


def constant(step: int) -> float:
    return 0.1


def first_batches(count: int) -> list[np.ndarray]:
    return list(islice(batches_from(50, 16, 3, 0), count))


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_steps_are_sgd_with_momentum_on_cross_entropy_plus_regularization(decay: float) -> None:
    model = dense_model(kernel_regularizer=keras.regularizers.L2(decay), use_bias=False)
    weights = model.get_weights()[0].astype(np.float64)
    velocity, losses = np.zeros_like(weights), []
    # Five steps: three whole batches in the first epoch of 50 images, two in the second; the rate falls.
    rates = [0.1, 0.1, 0.05, 0.05, 0.02]
    for indices, rate in zip(first_batches(5), rates, strict=True):
        x = DATA.normalization(DATA.train.images[indices]).reshape(16, -1).astype(np.float64)
        y = np.eye(CLASSES)[DATA.train.targets[indices]]
        p = np.exp(x @ weights) / np.exp(x @ weights).sum(1, keepdims=True)
        losses.append(-np.log((p * y).sum(1)).mean() + decay * (weights**2).sum())
        velocity = 0.9 * velocity - rate * (x.T @ (p - y) / 16 + 2 * decay * weights)
        weights = weights + velocity

    repair = repair_of(model, DATA)
    assert repair.advance(5, lambda step: rates[step]) == pytest.approx(losses, rel=1e-4)
    repair.write_to(model)
    np.testing.assert_allclose(model.get_weights()[0], weights, rtol=1e-3, atol=1e-5)


def test_a_step_applies_constraints() -> None:
    model = dense_model(kernel_constraint=keras.constraints.NonNeg())
    repair = repair_of(model, DATA)
    repair.advance(3, constant)
    repair.write_to(model)
    kernel = model.layers[-1].kernel.numpy()
    assert kernel.min() == 0 and kernel.max() > 0


def test_no_steps_change_nothing() -> None:
    model = dense_model()
    before = model.get_weights()
    repair = repair_of(model, DATA)
    assert repair.advance(0, constant) == []
    repair.write_to(model)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_everything_is_traced_once() -> None:
    calls = []

    @rule()  # It is called, not what it does put in its place.
    class Counting(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            calls.append(inputs.shape)
            return inputs

    inputs = keras.Input(SHAPE)
    x = keras.layers.BatchNormalization()(Counting()(inputs))
    x = keras.layers.Flatten()(x)
    repair = repair_of(keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x)), DATA)
    calls.clear()
    assert len(repair.advance(7, constant)) == 7
    assert len(calls) == 1
    for _ in range(2):
        repair.recalibrate(40)
        repair.outputs(DATA.validation)
    # Inference was traced when the network was made.
    assert len(calls) == 2


def test_a_repair_in_two_parts_is_the_whole_repair() -> None:
    whole, parts = (repair_of(conv_model(), DATA) for _ in range(2))
    losses = whole.advance(9, constant)
    first = parts.advance(4, constant)
    parts.recalibrate(40)
    parts.outputs(DATA.validation)
    assert first + parts.advance(5, constant) == losses
    assert (parts.steps, whole.steps) == (9, 9)
    for repair in (whole, parts):
        repair.recalibrate(40)
    np.testing.assert_array_equal(whole.outputs(DATA.validation), parts.outputs(DATA.validation))


def test_divergence_is_told_with_its_step_and_learning_rate() -> None:
    repair = repair_of(dense_model(), DATA)
    repair.advance(2, constant)
    with pytest.raises(DivergenceError) as caught:
        repair.advance(6, lambda step: 1e38)
    assert str(caught.value).startswith("fine-tuning: expected finite losses, received ")
    assert "of 8 with learning rate 1e+38; lower the learning rate" in str(caught.value)


def test_a_frozen_model_is_refused() -> None:
    model = dense_model()
    model.trainable = False
    with pytest.raises(ModelError, match="expected trainable weights, received a frozen model"):
        repair_of(model, DATA).advance(1, constant)


def test_a_frozen_layer_is_left_alone() -> None:
    model = conv_model()
    model.layers[1].trainable = False
    before = [weight.numpy() for weight in model.layers[1].weights]
    last = model.layers[-1].kernel.numpy()
    repair = repair_of(model, DATA)
    repair.advance(2, constant)
    repair.write_to(model)
    np.testing.assert_array_equal(model.layers[1].weights[0].numpy(), before[0])
    assert (model.layers[-1].kernel.numpy() != last).any()


def test_steps_normalize_by_the_batch_and_leave_the_statistics_alone() -> None:
    inputs = keras.Input(SHAPE)
    x = keras.layers.BatchNormalization(name="bn", momentum=0.75)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.Flatten()(x)))
    model.get_layer("bn").moving_mean.assign([8.0, -8.0])
    kernel, (indices,) = model.layers[-1].kernel.numpy(), first_batches(1)
    batch = DATA.normalization(DATA.train.images[indices])
    mean, variance = batch.mean((0, 1, 2)), batch.var((0, 1, 2))
    logits = ((batch - mean) / np.sqrt(variance + 0.001)).reshape(16, -1) @ kernel
    own = logits[np.arange(16), DATA.train.targets[indices]]

    repair = repair_of(model, DATA)
    losses = repair.advance(1, constant)
    repair.write_to(model)

    assert losses == pytest.approx([(np.log(np.exp(logits).sum(1)) - own).mean()], rel=1e-4)
    np.testing.assert_array_equal(model.get_layer("bn").moving_mean.numpy(), np.float32([8, -8]))


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


def recalibrate(model: keras.Model, images: int = 40, batch_size: int = 16) -> int:
    repair = repair_of(model, DATA, batch_size, seed=5)
    used = repair.recalibrate(images)
    repair.write_to(model)
    return used


def batch_norm(x: np.ndarray, epsilon: float) -> np.ndarray:
    """Batch normalization of one batch by its own statistics, with two_norms's gamma and beta."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + epsilon) * [1.5, 0.5] + [0.2, -0.1]


def test_statistics_are_the_mean_over_batches_of_each_layers_inputs() -> None:
    model = two_norms()
    trainable = [weight.numpy() for weight in model.trainable_variables]
    # 40 images of batch 16: two whole batches.
    batches = list(whole_batches(50, 16, np.random.default_rng(5)))[:2]
    first = [DATA.normalization(DATA.train.images[batch]).astype(np.float64) for batch in batches]
    second = [np.maximum(batch_norm(x, 0.001), 0) for x in first]

    assert recalibrate(model) == 32

    for name, inputs in (("first", first), ("second", second)):
        layer = model.get_layer(name)
        expected_mean = np.mean([x.mean((0, 1, 2)) for x in inputs], axis=0)
        expected_variance = np.mean([x.var((0, 1, 2)) for x in inputs], axis=0)
        np.testing.assert_allclose(layer.moving_mean.numpy(), expected_mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.moving_variance.numpy(), expected_variance, rtol=1e-5)
    for weight, old in zip(model.trainable_variables, trainable, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_a_norm_that_is_not_trainable_is_left_alone() -> None:
    model = two_norms()
    model.get_layer("second").trainable = False
    assert recalibrate(model) == 32
    np.testing.assert_array_equal(model.get_layer("second").moving_mean.numpy(), np.float32([70, -70]))
    assert abs(model.get_layer("first").moving_mean.numpy()).max() < 1


def test_a_model_without_batch_normalization_takes_no_pass() -> None:
    class Unread(Normalization):
        def __call__(self, images: Any) -> Any:
            raise DataError("expected no image to be read")

    data = dataset(Unread(1.0, (0.0, 0.0), (1.0, 1.0)))
    assert repair_of(dense_model(), data).recalibrate(40) == 0
    with pytest.raises(DataError):
        repair_of(two_norms(), data).recalibrate(40)


@pytest.mark.parametrize(("images", "batch_size"), [(1000, 64), (50, 50), (1000, 1000)])
def test_a_small_split_is_one_batch_of_all_its_images(images: int, batch_size: int) -> None:
    model = two_norms()
    recalibrate(model, images, batch_size)
    every = DATA.normalization(DATA.train.images)
    np.testing.assert_allclose(model.get_layer("first").moving_mean.numpy(), every.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(model.get_layer("first").moving_variance.numpy(), every.var((0, 1, 2)), rtol=1e-5)
