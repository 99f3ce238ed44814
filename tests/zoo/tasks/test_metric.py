"""Metrics of Keras against scikit-learn and numpy."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, top_k_accuracy_score

from zoo.tasks.kinds.classification import Classification
from zoo.tasks.metric import ACCURACY, LOSS, Metric, Score, metric_classes, restored, stored
from zoo.tasks.metric_choice import class_value

CLASSES = 4
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, CLASSES, 50)
PROBABILITIES = RNG.dirichlet(np.ones(CLASSES), 50).astype(np.float32)
F1 = Metric("F1Score", "maximize", "one_hot", {"average": "macro"})
TOP_2 = Metric("SparseTopKCategoricalAccuracy", options={"k": 2})


TASK = Classification(CLASSES)


def value(metric: Metric, probabilities: np.ndarray = PROBABILITIES) -> float:
    return float(class_value(metric, *TASK.compared(metric, LABELS, probabilities)))


def test_f1_is_that_of_scikit_learn() -> None:
    expected = f1_score(LABELS, PROBABILITIES.argmax(1), average="macro")
    assert value(F1) == pytest.approx(expected, rel=1e-5)


def test_top_k_is_that_of_scikit_learn() -> None:
    assert value(TOP_2) == pytest.approx(top_k_accuracy_score(LABELS, PROBABILITIES, k=2), rel=1e-6)


def test_a_mean_squared_error_is_the_brier_score_per_class() -> None:
    metric = Metric("MeanSquaredError", "minimize", "one_hot")
    expected = ((np.eye(CLASSES)[LABELS] - PROBABILITIES) ** 2).mean()
    assert value(metric) == pytest.approx(expected, rel=1e-5)


def test_two_calls_share_nothing() -> None:
    assert value(F1) == value(F1)
    assert value(pickle.loads(pickle.dumps(F1))) == value(F1)


@given(st.floats(0, 1), st.floats(0, 9), st.floats(-5, 5))
def test_the_objective_is_the_higher_the_better(accuracy: float, loss: float, value: float) -> None:
    score = Score({"accuracy": accuracy, "loss": loss, "F1Score": value, "Hinge": value})
    assert score.objective(ACCURACY) == score.figure(ACCURACY) == accuracy
    assert (score.objective(LOSS), score.figure(LOSS), score.loss) == (-loss, loss, loss)
    assert score.objective(F1) == score.figure(F1) == value
    assert score.objective(Metric("Hinge", "minimize")) == -value


def test_without_its_figure_the_objective_is_the_worst() -> None:
    for metric in (F1, Metric("Hinge", "minimize")):
        assert Score({"accuracy": 0.5, "loss": 1.0}).objective(metric) == -math.inf
        assert math.isnan(Score({"accuracy": 0.5, "loss": 1.0}).figure(metric))
    assert math.isnan(Score({"accuracy": 0.5}).loss)


def test_a_score_and_a_metric_as_text() -> None:
    assert (
        Score({"accuracy": 0.75, "loss": 0.9, "F1Score": 0.25}).text == "accuracy 0.7500, loss 0.9000, F1Score 0.2500"
    )
    psnr = Metric("PSNR", unit="dB")
    assert (ACCURACY.title, ACCURACY.cell(0.7692), ACCURACY.difference(0.7692, 0.7803)) == (
        "Accuracy",
        "76.92 %",
        "-1.11",
    )
    assert (psnr.title, psnr.cell(31.25), psnr.difference(31.25, 32.0)) == ("PSNR", "31.2500 dB", "-0.7500")
    assert (Metric("mean_IoU").title, F1.title, F1.cell(0.5)) == ("Mean IoU", "F1Score", "0.5000")


@pytest.mark.parametrize("metric", [ACCURACY, LOSS, F1, TOP_2, Metric("Hinge", "minimize", "one_hot")])
def test_a_stored_metric_comes_back(metric: Metric) -> None:
    assert restored(stored(metric)) == metric


def test_only_classes_that_compare_labels_with_outputs_are_metrics() -> None:
    names = metric_classes().keys()
    assert {"AUC", "F1Score", "Precision", "SparseTopKCategoricalAccuracy", "KLDivergence"} <= names
    assert not {"Mean", "Sum", "Metric", "MeanMetricWrapper"} & names
