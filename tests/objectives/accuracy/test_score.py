"""Scores against model.predict and numpy."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from objectives.accuracy.metric import LOSS, Metric
from objectives.accuracy.score import score, score_outputs
from tests.objectives.images import CLASSES, SHAPE, conv_model, dataset

DATA = dataset()


@pytest.mark.parametrize("batch_size", [1, 8, 21, 500])
def test_padding_of_the_last_batch_counts_for_nothing(batch_size: int) -> None:
    model = conv_model()
    split = DATA.validation
    probabilities = model.predict(DATA.normalization(split.images), verbose=0).astype(np.float64)
    result = score(model, split, DATA.normalization, batch_size)
    assert result.accuracy == (probabilities.argmax(1) == split.labels).mean()
    own = probabilities[np.arange(len(split)), split.labels]
    assert result.loss == pytest.approx(-np.log(own).mean(), rel=1e-5)


def test_logits_are_told_from_probabilities() -> None:
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(inputs)))
    logits = model.predict(DATA.normalization(DATA.test.images), verbose=0).astype(np.float64)
    log_sum = np.log(np.exp(logits).sum(1))
    expected = (log_sum - logits[np.arange(len(DATA.test)), DATA.test.labels]).mean()
    assert score(model, DATA.test, DATA.normalization, 8).loss == pytest.approx(expected, rel=1e-5)


def test_scoring_changes_nothing() -> None:
    model = conv_model()
    before = model.get_weights()
    score(model, DATA.validation, DATA.normalization, 8)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_metric_is_of_all_images_and_gets_probabilities_of_logits_too() -> None:
    inputs = keras.Input(SHAPE)
    logits = keras.layers.Dense(CLASSES, name="head")(keras.layers.Flatten()(inputs))
    twins = keras.Model(inputs, logits), keras.Model(inputs, keras.layers.Softmax()(logits))
    metric = Metric("MeanSquaredError", "minimize", "one_hot")
    probabilities = twins[1].predict(DATA.normalization(DATA.test.images), verbose=0)
    expected = ((np.eye(CLASSES)[DATA.test.labels] - probabilities) ** 2).mean()
    for model in twins:
        received = score(model, DATA.test, DATA.normalization, 8, metric)
        assert received.value == pytest.approx(expected, rel=1e-4)
        assert score(model, DATA.test, DATA.normalization, 8, LOSS) == replace(received, value=None)


@pytest.mark.parametrize(("from_logits", "loss"), [(False, np.log(2)), (True, np.log(1 + np.e**0.5) - 0.25)])
def test_outputs_alone_can_be_scored(from_logits: bool, loss: float) -> None:
    """One of two right; by hand: -ln 0.5 each, or the mean of ln(1 + e^0.5) - 0.5 and ln(1 + e^0.5)."""
    outputs = np.array([[0.5, 0.5], [0.5, 0.5]], np.float32)
    labels = np.array([0, 1])
    if from_logits:
        outputs = np.array([[0.5, 0.0], [0.5, 0.0]], np.float32)
    received = score_outputs(outputs, labels, keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits))
    assert (received.accuracy, received.value) == (0.5, None)
    assert received.loss == pytest.approx(loss, rel=1e-6)


def test_outputs_that_are_not_finite_have_no_metric() -> None:
    outputs = np.array([[np.nan, np.nan]], np.float32)
    metric = Metric("MeanSquaredError", "minimize", "one_hot")
    received = score_outputs(outputs, np.array([0]), keras.losses.SparseCategoricalCrossentropy(), metric)
    assert np.isnan(received.loss) and received.value is None
