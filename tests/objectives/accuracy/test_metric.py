"""Metrics of Keras against scikit-learn and numpy."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, top_k_accuracy_score

from compress.errors import DivergenceError
from objectives.accuracy.metric import ACCURACY, LOSS, Metric, Score, metric_classes, restored, stored

CLASSES = 4
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, CLASSES, 50)
PROBABILITIES = RNG.dirichlet(np.ones(CLASSES), 50).astype(np.float32)
F1 = Metric("F1Score", "maximize", "one_hot", {"average": "macro"})
TOP_2 = Metric("SparseTopKCategoricalAccuracy", options={"k": 2})


def test_f1_is_that_of_scikit_learn() -> None:
    expected = f1_score(LABELS, PROBABILITIES.argmax(1), average="macro")
    assert F1(LABELS, PROBABILITIES) == pytest.approx(expected, rel=1e-5)


def test_top_k_is_that_of_scikit_learn() -> None:
    assert TOP_2(LABELS, PROBABILITIES) == pytest.approx(top_k_accuracy_score(LABELS, PROBABILITIES, k=2), rel=1e-6)


def test_a_mean_squared_error_is_the_brier_score_per_class() -> None:
    metric = Metric("MeanSquaredError", "minimize", "one_hot")
    expected = ((np.eye(CLASSES)[LABELS] - PROBABILITIES) ** 2).mean()
    assert metric(LABELS, PROBABILITIES) == pytest.approx(expected, rel=1e-5)


def test_two_calls_share_nothing() -> None:
    assert F1(LABELS, PROBABILITIES) == F1(LABELS, PROBABILITIES)
    assert pickle.loads(pickle.dumps(F1))(LABELS, PROBABILITIES) == F1(LABELS, PROBABILITIES)


def test_a_value_that_is_not_finite_is_a_divergence() -> None:
    metric = Metric("MeanSquaredError", "minimize", "one_hot")
    broken = np.full_like(PROBABILITIES, np.nan)
    with pytest.raises(DivergenceError, match="metric MeanSquaredError: expected a finite number on 50 images, rec"):
        metric(LABELS, broken)


@given(st.floats(0, 1), st.floats(0, 9), st.floats(-5, 5))
def test_the_objective_is_the_higher_the_better(accuracy: float, loss: float, value: float) -> None:
    score = Score(accuracy, loss, value)
    assert score.objective(ACCURACY) == score.figure(ACCURACY) == accuracy
    assert (score.objective(LOSS), score.figure(LOSS)) == (-loss, loss)
    assert score.objective(F1) == score.figure(F1) == value
    assert score.objective(Metric("Hinge", "minimize")) == -value


def test_without_its_figure_the_objective_is_the_worst() -> None:
    assert Score(0.5, 1.0).objective(F1) == -math.inf
    assert math.isnan(Score(0.5, 1.0).figure(F1))


def test_the_text_of_a_score_shows_the_metric_where_it_is_neither() -> None:
    score = Score(0.75, 0.9, 0.25)
    assert score.text(ACCURACY) == score.text(LOSS) == "accuracy 0.7500, loss 0.9000"
    assert score.text(F1) == "accuracy 0.7500, loss 0.9000, F1Score 0.2500"


@pytest.mark.parametrize("metric", [ACCURACY, LOSS, F1, TOP_2, Metric("Hinge", "minimize", "one_hot")])
def test_a_stored_metric_comes_back(metric: Metric) -> None:
    assert restored(stored(metric)) == metric


def test_only_classes_that_compare_labels_with_outputs_are_metrics() -> None:
    names = metric_classes().keys()
    assert {"AUC", "F1Score", "Precision", "SparseTopKCategoricalAccuracy", "KLDivergence"} <= names
    assert not {"Mean", "Sum", "Metric", "MeanMetricWrapper"} & names
