"""Scores of outputs that come in parts against those of all outputs at once."""

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from compress.errors import DivergenceError
from tests.objectives.tasks import TARGETS, dataset, model
from zoo.tasks.figures import scoring
from zoo.tasks.figures.scoring import Scoring, score_of
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.metric import Metric
from zoo.tasks.metric_choice import choose_metric
from zoo.training.evaluation import evaluate, predict

RNG = np.random.default_rng(0)


@cache
def net_of(task: Any) -> keras.Model:
    """A model that nobody may change."""
    return model(task)


def in_parts(task: Any, loss: Any, metric: Metric | None, targets: Any, outputs: Any, sizes: list[int]) -> Any:
    scoring = Scoring(task, loss, metric)
    for start, end in zip(np.cumsum([0, *sizes]).tolist(), np.cumsum(sizes).tolist(), strict=False):
        scoring.add(targets[start:end], outputs[start:end])
    return scoring.result().figures


@pytest.mark.parametrize("name", ["mean_squared_error", None])
@pytest.mark.parametrize("task", TARGETS, ids=lambda task: task.name)
def test_parts_give_the_figures_of_all(task: Any, name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    data, net = dataset(task), net_of(task)
    split, metric = data.train, choose_metric(name, data.task)
    outputs = predict(net, split, data.normalization, 8)
    loss = data.task.loss(net)
    whole = score_of(data.task, split.targets, outputs, loss, metric).figures
    expected = {**data.task.figures(split.targets, data.task.activated(outputs, loss.from_logits))}
    assert {key: whole[key] for key in expected} == pytest.approx(expected, rel=1e-6)
    # Blocks of two or three images, and parts of one, of several blocks, and of less than one.
    monkeypatch.setattr(scoring, "_VALUES", 2 * outputs[0].size + 1)
    received = in_parts(data.task, loss, metric, split.targets, outputs, [1, 5, len(split) - 7, 1])
    assert received == pytest.approx(whole, rel=1e-6, abs=1e-7)
    assert evaluate(net, data, split, metric, 3).figures == pytest.approx(whole, rel=1e-5, abs=1e-6)


def test_ignored_pixels_count_in_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Segmentation(3, 255)
    masks = np.where(RNG.random((5, 4, 6)) < 0.4, 255, RNG.integers(0, 3, (5, 4, 6)))
    masks[1] = 255
    outputs = RNG.dirichlet(np.ones(3), (5, 4, 6)).astype(np.float32)
    loss, metric = task.loss(model(task)), choose_metric("F1Score", task, options={"average": "macro"})
    whole = score_of(task, masks, outputs, loss, metric).figures
    monkeypatch.setattr(scoring, "_VALUES", 1)
    assert in_parts(task, loss, metric, masks, outputs, [2, 3]) == pytest.approx(whole, rel=1e-6)


def test_outputs_that_are_not_finite_leave_the_loss_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_VALUES", 2)
    task, loss = Classification(2), keras.losses.SparseCategoricalCrossentropy()
    outputs = np.array([[0.5, 0.5], [np.nan, np.nan], [0.5, 0.5]], np.float32)
    auc = choose_metric("AUC", task)
    received = in_parts(task, loss, auc, np.array([0, 1, 1]), outputs, [1, 1, 1])
    assert received.keys() == {"loss"} and np.isnan(received["loss"])


def test_a_metric_that_is_not_finite_is_a_divergence() -> None:
    task, loss = Classification(2), keras.losses.SparseCategoricalCrossentropy()
    outputs = np.array([[1e30, 1e30], [1e30, 1e30]], np.float32)
    metric = Metric("MeanSquaredError", "minimize", "one_hot")
    with pytest.raises(DivergenceError, match="metric MeanSquaredError: expected a finite number on 2 images"):
        score_of(task, np.array([0, 1]), outputs, loss, metric)
