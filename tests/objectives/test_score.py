"""Scores against model.predict and numpy."""

import keras
import numpy as np
import pytest

from objectives.score import score
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
