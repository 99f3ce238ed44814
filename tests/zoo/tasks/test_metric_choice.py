"""Every metric of Keras is either usable, its direction found, or refused in one line before anything is trained."""

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ConfigError
from zoo.tasks.figures.scoring import score_of
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.metric import ACCURACY, LOSS, Metric, metric_classes
from zoo.tasks.metric_choice import choose_metric

TEN = Classification(10)
OPTIONS: dict[str, dict[str, Any]] = {
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "F1Score": {"average": "macro"},
    "FBetaScore": {"average": "weighted", "beta": 2.0},
    "IoU": {"num_classes": 10, "target_class_ids": [0, 1], "sparse_y_pred": False},
    "MeanIoU": {"num_classes": 10, "sparse_y_pred": False},
    "OneHotIoU": {"num_classes": 10, "target_class_ids": [0]},
    "OneHotMeanIoU": {"num_classes": 10},
    "BinaryIoU": {"target_class_ids": [1]},
}
LOWER_IS_BETTER = {
    *("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "KLDivergence", "Poisson"),
    *("CategoricalHinge", "Hinge", "SquaredHinge", "FalseNegatives", "FalsePositives", "LogCoshError"),
    *("MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError"),
    "RootMeanSquaredError",
}


@pytest.mark.parametrize("name", sorted(metric_classes().keys() - {"Accuracy"}))
def test_the_direction_of_every_metric_is_found(name: str) -> None:
    metric = choose_metric(name, TEN, options=OPTIONS.get(name))
    assert metric.direction == ("minimize" if name in LOWER_IS_BETTER else "maximize")
    assert metric.options == OPTIONS.get(name, {})
    assert metric.labels == ("index" if name.startswith("Sparse") or name in ("IoU", "MeanIoU") else "one_hot")


@given(st.integers(2, 60))
def test_made_up_outputs_are_right_or_wrong(classes: int) -> None:
    for right, place in ((True, classes - 1), (False, 0)):
        labels, probabilities = Classification(classes).made_up(right=right)
        order = probabilities.argsort(axis=1)
        np.testing.assert_array_equal(order[:, place], labels)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        assert all(len(set(row)) == classes for row in probabilities.tolist())
        assert (probabilities > 0).all() and labels.tolist() == list(range(classes))


def test_many_classes_need_little_memory() -> None:
    labels, probabilities = Classification(5000).made_up(right=True)
    assert (labels.shape, probabilities.shape) == ((1000,), (1000, 5000))


def test_accuracy_and_loss_need_no_class() -> None:
    assert choose_metric("accuracy", TEN) is ACCURACY
    assert choose_metric("loss", TEN) is LOSS
    # The class of this name compares labels with outputs for equality: 0 for right and for wrong outputs.
    assert choose_metric("Accuracy", TEN) is ACCURACY
    assert choose_metric(None, TEN) is ACCURACY


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("sparse_top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy"),
        ("auc", "AUC"),
        ("kl_divergence", "KLDivergence"),
    ],
)
def test_names_may_be_written_with_underscores(name: str, result: str) -> None:
    assert choose_metric(name, TEN).name == result


def test_what_is_given_is_kept() -> None:
    given = choose_metric(
        "TopKCategoricalAccuracy", Classification(3), options={"k": 5}, labels="one_hot", direction="maximize"
    )
    assert given == Metric("TopKCategoricalAccuracy", "maximize", "one_hot", {"k": 5})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "loss",
            {"direction": "minimize"},
            "expected no options, labels or direction for loss, which needs none",
        ),
        ("acuracy", {}, "expected accuracy, loss, or a metric of keras.metrics, received 'acuracy'; did you mean accu"),
        ("top speed", {}, "received 'top speed', such as F1Score"),
        ("Mean", {}, "received 'Mean'"),
        ("F1Score", {}, r"a single finite number .* array of shape \(10,\); give .*, such as average: macro"),
        ("F1Score", {"options": {"avrage": "macro"}}, "received TypeError: .*avrage.*; change search.metric.options"),
        ("F1Score", {"options": {"average": "mean"}}, "received ValueError: .*average"),
        ("MeanIoU", {}, "received TypeError: .*num_classes"),
        ("F1Score", {"options": {"average": "macro"}, "labels": "index"}, "to take index labels and outputs of shape"),
        (
            "TopKCategoricalAccuracy",
            {"options": {"k": 10}},
            "expected maximize or minimize for TopK.*, which is 1 for outputs that are right and for",
        ),
        ("AUC", {"direction": "minimize"}, "expected maximize for AUC, which is 1 .* 0 for wrong ones, received minim"),
        ("CategoricalCrossentropy", {"options": {"from_logits": True}}, "from_logits: expected false, received true"),
    ],
)
def test_what_cannot_rank_is_refused_in_one_line(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        choose_metric(name, TEN, **arguments)
    assert str(error.value).startswith("search.metric") and "\n" not in str(error.value)


TWO = Classification(2)
RNG = np.random.default_rng(0)
POSITIVE = (RNG.random(400) < 0.2).astype(np.int64)
UNIT = np.clip(0.15 + 0.25 * POSITIVE + 0.12 * RNG.normal(size=400), 0.01, 0.99).astype(np.float32)[:, None]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("AUC", {}),
        ("Precision", {"thresholds": 0.3}),
        ("Recall", {"thresholds": 0.3}),
        ("F1Score", {"average": "macro", "threshold": 0.3}),
        ("BinaryAccuracy", {}),
        ("PrecisionAtRecall", {"recall": 0.5}),
        ("BinaryCrossentropy", {}),
        ("MeanSquaredError", {}),
    ],
)
@pytest.mark.parametrize("pixels", [False, True])
def test_of_a_single_unit_figures_are_those_of_keras(name: str, options: dict[str, Any], pixels: bool) -> None:
    task: Any = Segmentation(2) if pixels else TWO
    metric = choose_metric(name, task, options=options, one_unit=True)
    targets, outputs = (part.reshape(4, 10, 10, -1) if pixels else part for part in (POSITIVE, UNIT))
    known = metric_classes()[name](**options)
    known.update_state(POSITIVE[:, None], UNIT)
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    score = score_of(task, targets[..., 0] if pixels else targets, outputs, TWO.loss(net), metric)
    assert score.figure(metric) == pytest.approx(float(known.result()), rel=1e-5)


def test_precision_and_recall_of_a_single_unit_by_hand() -> None:
    """Of four positives two are found, with one that is none."""
    labels, unit = np.array([1, 1, 1, 1, 0, 0]), np.float32([[0.9], [0.6], [0.4], [0.1], [0.7], [0.2]])
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    for name, expected in (("Precision", 2 / 3), ("Recall", 1 / 2)):
        metric = choose_metric(name, TWO, one_unit=True)
        assert score_of(TWO, labels, unit, TWO.loss(net), metric).figure(metric) == pytest.approx(expected)


@pytest.mark.parametrize(("name", "options"), [("CategoricalAccuracy", {}), ("F1Score", {"average": "macro"})])
def test_what_is_the_same_for_every_output_of_a_single_unit_is_refused(name: str, options: dict[str, Any]) -> None:
    choose_metric(name, TWO, options=options)
    with pytest.raises(ConfigError, match=f"expected maximize or minimize for {name}, which is"):
        choose_metric(name, TWO, options=options, one_unit=True)
