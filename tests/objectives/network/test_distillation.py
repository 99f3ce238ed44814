"""Soft losses by hand, and labels that are computed once."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from compress.errors import ConfigError
from objectives.network.distillation import Distillation, SoftLabels, TrainingLoss
from tests.objectives.images import conv_model
from zoo.tasks.kinds.classification import Classification

RNG = np.random.default_rng(0)
LOGITS, SOFT = RNG.normal(size=(2, 5, 3)).astype(np.float32)


def test_the_loss_is_the_softened_cross_entropy_times_the_squared_temperature() -> None:
    expected = -9 * (softmax(SOFT / 3, axis=1) * log_softmax(LOGITS / 3, axis=1)).sum(1).mean()
    assert float(Classification(3).soft_loss(tf.constant(LOGITS), tf.constant(SOFT), 3.0)) == pytest.approx(expected)


@pytest.mark.parametrize("constant", [0.0, 7.0])
def test_the_whole_is_mixed_by_weight_from_probabilities(constant: float) -> None:
    labels, probabilities = np.array([0, 2, 1, 1, 0]), softmax(LOGITS, axis=1)
    hard = -np.log(probabilities[np.arange(5), labels]).mean()
    soft = -4 * (softmax(SOFT / 2, axis=1) * log_softmax(LOGITS / 2, axis=1)).sum(1).mean()
    loss = TrainingLoss(Classification().loss(conv_model()), Classification(), Distillation(0.3, 2.0))
    result = loss(tf.constant(labels), tf.constant(probabilities), tf.constant(SOFT + constant))
    assert float(result) == pytest.approx(0.7 * hard + 0.3 * soft, rel=1e-5)


def test_soft_labels_are_computed_once_for_each_image() -> None:
    asked: list[int] = []

    def logits(indices: np.ndarray) -> np.ndarray:
        asked.extend(indices.tolist())
        return np.stack([indices, -indices], axis=1).astype(np.float32)

    labels = SoftLabels(logits, images=10, shape=(2,))
    for indices in ([3, 1, 3], [1, 9], [9, 0, 3]):
        np.testing.assert_array_equal(labels.of(np.array(indices))[:, 0], indices)
    assert sorted(asked) == [0, 1, 3, 9]


def test_what_would_take_too_much_memory_is_computed_anew() -> None:
    asked: list[int] = []

    def masks(indices: np.ndarray) -> np.ndarray:
        asked.extend(indices.tolist())
        return indices[:, None].astype(np.float32)

    labels = SoftLabels(masks, images=10**6, shape=(200, 200, 3))
    for _ in range(2):
        np.testing.assert_array_equal(labels.of(np.array([3, 1])), [[3], [1]])
    assert asked == [3, 1, 3, 1]


@pytest.mark.parametrize("change", [{"weight": 0.0}, {"weight": 1.5}, {"temperature": 0.0}, {"temperature": np.inf}])
def test_impossible_values_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"distillation.{next(iter(change))}: expected a number"):
        Distillation(**change)
