"""Losses of Keras for class numbers and for shares of classes, against their formulas."""

import keras
import numpy as np
import pytest

from compress.errors import ConfigError
from tests.objectives.tasks import model
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.loss import LabelLoss, accuracy, loss_classes

TASK = Classification(3)
LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.1, 0.3]], np.float32)
LABELS = np.array([0, 2])
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)


def classifier(activation=None):
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(3, activation, name="head")(inputs), name="net")


@pytest.mark.parametrize(("activation", "outputs"), [(None, LOGITS), ("softmax", SHARES)])
def test_smoothed_labels_are_mixed_with_all_classes(activation, outputs):
    loss = TASK.training_loss(classifier(activation), KerasClass("categorical_crossentropy", {"label_smoothing": 0.3}))
    targets = 0.7 * np.eye(3)[LABELS] + 0.1
    np.testing.assert_allclose(float(loss(LABELS, outputs)), -(targets * np.log(SHARES)).sum(1).mean(), rtol=1e-5)
    assert loss.from_logits == (activation is None)


def test_focal_loss_weighs_by_what_is_missing():
    """Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5."""
    loss = TASK.training_loss(classifier(), KerasClass("CategoricalFocalCrossentropy", {"alpha": 0.5, "gamma": 3}))
    right = SHARES[[0, 1], LABELS]
    np.testing.assert_allclose(float(loss(LABELS, LOGITS)), (-0.5 * (1 - right) ** 3 * np.log(right)).mean(), rtol=1e-4)


def test_numbers_and_rows_give_the_same():
    plain, rows = TASK.training_loss(classifier()), TASK.training_loss(classifier(), mixed=True)
    assert isinstance(rows, LabelLoss) and not isinstance(plain, LabelLoss)
    expected = float(plain(LABELS, LOGITS))
    assert float(rows(LABELS, LOGITS)) == pytest.approx(expected, rel=1e-6)
    assert float(rows(np.eye(3, dtype=np.float32)[LABELS], LOGITS)) == pytest.approx(expected, rel=1e-6)
    # Shares of classes: linear in them.
    assert float(rows(np.full((2, 3), 1 / 3), LOGITS)) == pytest.approx(-np.log(SHARES).mean(), rel=1e-6)


def test_weights_of_images_count():
    loss = TASK.training_loss(classifier(), KerasClass("SparseCategoricalCrossentropy"))
    each = -np.log(SHARES[[0, 1], LABELS])
    assert float(loss(LABELS, LOGITS, np.array([2.0, 0.0]))) == pytest.approx(each[0], rel=1e-5)


def test_accuracy_of_numbers_and_of_the_largest_share():
    assert np.asarray(accuracy(LABELS, LOGITS)).tolist() == [1, 0]
    assert np.asarray(accuracy(np.array([[0.6, 0.4, 0], [0.6, 0.4, 0]]), LOGITS)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("choice", "activation", "mixed", "message"),
    [
        (
            KerasClass("Crossentropy"),
            None,
            False,
            "loss: expected the name of a class of Keras, received 'Crossentropy'",
        ),
        (KerasClass("Dice", {"smooth": 3}), "softmax", False, "loss: expected options that Dice takes"),
        (KerasClass("Dice"), None, False, "expected a loss that takes logits, as the model gives, received Dice"),
        (KerasClass("CategoricalCrossentropy", {"from_logits": True}), None, False, "expected no from_logits"),
        (KerasClass("SparseCategoricalCrossentropy"), None, True, "choose CategoricalCrossentropy"),
    ],
)
def test_a_loss_that_does_not_fit_is_refused(choice, activation, mixed, message):
    with pytest.raises(ConfigError, match=message):
        TASK.training_loss(classifier(activation), choice, mixed=mixed)


@pytest.mark.parametrize("name", ["Ctc", "Circle"])
def test_a_loss_of_other_shapes_is_refused_before_training(name):
    with pytest.raises(ConfigError, match=r"loss: expected one that takes outputs \(N, 3\) and their targets, rec"):
        TASK.check_loss(KerasClass(name), False)


@pytest.mark.parametrize("name", sorted(set(loss_classes()) - {"CTC", "Circle"}))
def test_every_other_loss_of_keras_is_taken(name):
    TASK.check_loss(KerasClass(name), False)


@pytest.mark.filterwarnings("ignore:In loss categorical_crossentropy:SyntaxWarning")
@pytest.mark.parametrize("logits", [True, False])
def test_a_loss_of_several_classes_is_refused_for_one_unit(logits: bool) -> None:
    """Cross-entropy of a softmax over one unit is 0 whatever the unit says."""
    task, net = Classification(2), model(Classification(2), unit=True, logits=logits)
    for name in ("CategoricalCrossentropy", "SparseCategoricalCrossentropy"):
        with pytest.raises(ConfigError, match="loss: expected one that "):
            task.training_loss(net, KerasClass(name))
    assert task.training_loss(net, KerasClass("BinaryFocalCrossentropy")).from_logits is logits
