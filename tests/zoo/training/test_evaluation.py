"""Scores against model.predict and numpy."""

import keras
import numpy as np
import pytest

from tests.objectives.images import CLASSES, SHAPE, conv_model, dataset
from zoo.tasks.figures.scoring import score_of
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.metric import LOSS, Metric
from zoo.training.evaluation import evaluate

DATA = dataset()


@pytest.mark.parametrize("batch_size", [1, 8, 21, 500])
def test_padding_of_the_last_batch_counts_for_nothing(batch_size: int) -> None:
    model = conv_model()
    split = DATA.validation
    probabilities = model.predict(DATA.normalization(split.images), verbose=0).astype(np.float64)
    result = evaluate(model, DATA, split, batch_size=batch_size)
    assert result.figures["accuracy"] == (probabilities.argmax(1) == split.targets).mean()
    own = probabilities[np.arange(len(split)), split.targets]
    assert result.loss == pytest.approx(-np.log(own).mean(), rel=1e-5)


def test_logits_are_told_from_probabilities() -> None:
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(inputs)))
    logits = model.predict(DATA.normalization(DATA.test.images), verbose=0).astype(np.float64)
    log_sum = np.log(np.exp(logits).sum(1))
    expected = (log_sum - logits[np.arange(len(DATA.test)), DATA.test.targets]).mean()
    assert evaluate(model, DATA, DATA.test, batch_size=8).loss == pytest.approx(expected, rel=1e-5)


def test_scoring_changes_nothing() -> None:
    model = conv_model()
    before = model.get_weights()
    evaluate(model, DATA, DATA.validation, batch_size=8)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_metric_is_of_all_images_and_gets_probabilities_of_logits_too() -> None:
    inputs = keras.Input(SHAPE)
    logits = keras.layers.Dense(CLASSES, name="head")(keras.layers.Flatten()(inputs))
    twins = keras.Model(inputs, logits), keras.Model(inputs, keras.layers.Softmax()(logits))
    metric = Metric("MeanSquaredError", "minimize", "one_hot")
    probabilities = twins[1].predict(DATA.normalization(DATA.test.images), verbose=0)
    expected = ((np.eye(CLASSES)[DATA.test.targets] - probabilities) ** 2).mean()
    for model in twins:
        received = evaluate(model, DATA, DATA.test, metric, 8).figures
        assert received[metric.name] == pytest.approx(expected, rel=1e-4)
        without = evaluate(model, DATA, DATA.test, LOSS, 8).figures
        assert {**without, metric.name: received[metric.name]} == received


@pytest.mark.parametrize(("from_logits", "expected"), [(False, np.log(2)), (True, np.log(1 + np.e**0.5) - 0.25)])
def test_outputs_alone_can_be_scored(from_logits: bool, expected: float) -> None:
    """One of two right; by hand: -ln 0.5 each, or the mean of ln(1 + e^0.5) - 0.5 and ln(1 + e^0.5)."""
    outputs = np.array([[0.5, 0.5], [0.5, 0.5]], np.float32)
    labels = np.array([0, 1])
    if from_logits:
        outputs = np.array([[0.5, 0.0], [0.5, 0.0]], np.float32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    received = score_of(Classification(2), labels, outputs, loss)
    assert received.figures.keys() == {"accuracy", "loss"} and received.figures["accuracy"] == 0.5
    assert received.loss == pytest.approx(expected, rel=1e-6)


def test_outputs_that_are_not_finite_have_no_metric() -> None:
    outputs = np.array([[np.nan, np.nan]], np.float32)
    metric = Metric("MeanSquaredError", "minimize", "one_hot")
    received = score_of(Classification(2), np.array([0]), outputs, keras.losses.SparseCategoricalCrossentropy(), metric)
    assert np.isnan(received.loss) and received.figures.keys() == {"loss"}
