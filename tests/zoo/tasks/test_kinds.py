"""Every task: its loss and figures by hand, and what it refuses."""

from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.metrics import average_precision_score, f1_score, jaccard_score, mean_absolute_error, r2_score

from compress.errors import ConfigError, DataError, ModelError
from tests.objectives.tasks import TARGETS, dataset, model
from zoo.tasks.figures.scoring import score_of
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.image_to_image import ImageToImage
from zoo.tasks.kinds.multilabel import Multilabel
from zoo.tasks.kinds.regression import Regression
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.registry import make_task, tasks

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, 3)).astype(np.float32)
MANY = np.array([[1, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0]], np.float32)
PIXELS = RNG.normal(size=(2, 4, 5, 3)).astype(np.float32)
MASKS = RNG.integers(0, 3, (2, 4, 5)).astype(np.int32)
IGNORED = np.where(RNG.random(MASKS.shape) < 0.3, 255, MASKS)
PICTURES = RNG.random((3, 12, 12, 3), np.float32)


def scored(task: Any, net: keras.Model, targets: Any, outputs: Any) -> dict[str, float]:
    return dict(score_of(task, targets, outputs, task.loss(net)).figures)


def test_one_sigmoid_unit_is_a_classifier_of_two_classes() -> None:
    task, labels, logits = Classification(2), np.array([0, 1, 1, 0, 1, 0]), LOGITS[:, :1]
    right = (logits[:, 0] > 0) == labels
    loss = -np.where(labels, log_expit(logits[:, 0]), log_expit(-logits[:, 0])).mean()
    expected = {"accuracy": right.mean(), "loss": loss}
    assert scored(task, model(task, unit=True, logits=True), labels, logits) == pytest.approx(expected, rel=1e-5)
    assert scored(task, model(task, unit=True), labels, expit(logits)) == pytest.approx(expected, rel=1e-5)
    # Two classes as softmax of 0 and the logit.
    pair = score_of(task, labels, np.concatenate([0 * logits, logits], 1), task.loss(model(task, logits=True)))
    assert pair.figures == pytest.approx(expected, rel=1e-5)


def test_several_labels() -> None:
    task, shares = Multilabel(), expit(LOGITS)
    expected = {
        "mAP": average_precision_score(MANY, shares, average="macro"),
        "F1": f1_score(MANY, shares > 0.5, average="macro"),
        "loss": -np.where(MANY > 0, log_expit(LOGITS), log_expit(-LOGITS)).mean(),
    }
    assert scored(task, model(task), MANY, shares) == pytest.approx(expected, rel=1e-4)
    assert scored(task, model(task, logits=True), MANY, LOGITS) == pytest.approx(expected, rel=1e-4)
    stricter = Multilabel(threshold=0.6)
    assert stricter.figures(MANY, shares)["F1"] == pytest.approx(f1_score(MANY, shares > 0.6, average="macro"))


def test_numbers() -> None:
    task, outputs = Regression(), LOGITS + MANY
    assert scored(task, model(task), MANY, outputs) == pytest.approx(
        {
            "MAE": mean_absolute_error(MANY, outputs),
            "RMSE": np.sqrt(np.mean((MANY - outputs) ** 2)),
            "R2": r2_score(MANY, outputs),
            "loss": np.mean((MANY - outputs) ** 2),
        },
        rel=1e-5,
    )


def test_numbers_far_from_zero_have_the_same_variance_explained() -> None:
    """In sums of float32 the variance of 10,000 and a few is lost, and R2 came out above 1."""
    targets = 1e4 + RNG.normal(size=(5000, 2)).astype(np.float32)
    outputs = targets + RNG.normal(0, 0.5, targets.shape).astype(np.float32)
    expected = r2_score(targets.astype(np.float64), outputs.astype(np.float64))
    assert Regression().figures(targets, outputs)["R2"] == pytest.approx(expected, rel=1e-6)
    assert Regression().figures(0 * targets + 3, outputs)["R2"] == 0


def test_sure_labels_are_ranked_by_their_logits() -> None:
    """In float32 the probabilities of logits from 17 up are all 1."""
    logits = RNG.uniform(15, 33, (300, 3)).astype(np.float32)
    targets = (logits + 4 * RNG.normal(size=logits.shape) > 24).astype(np.float32)
    figures = scored(Multilabel(), model(Multilabel(), logits=True), targets, logits)
    assert figures["mAP"] == pytest.approx(average_precision_score(targets, logits), rel=1e-3)


@pytest.mark.parametrize("masks", [MASKS, IGNORED])
@pytest.mark.parametrize("logits", [True, False])
def test_pixels(masks: np.ndarray, logits: bool) -> None:
    task = Segmentation(3, None if masks is MASKS else 255)
    counted = masks != 255
    truth, answer = masks[counted], PIXELS.argmax(-1)[counted]
    expected = {
        "mean_IoU": jaccard_score(truth, answer, average="macro"),
        "pixel_accuracy": (truth == answer).mean(),
        "loss": -np.take_along_axis(log_softmax(PIXELS[counted], -1), truth[:, None], 1).mean(),
    }
    outputs = PIXELS if logits else softmax(PIXELS, axis=-1)
    net = model(task, logits=logits)
    assert scored(task, net, masks, outputs) == pytest.approx(expected, rel=1e-5)
    # In training the loss is of the counted pixels, too.
    assert float(task.training_loss(net)(masks, outputs)) == pytest.approx(expected["loss"], rel=1e-5)


def test_one_channel_is_a_segmentation_of_two_classes() -> None:
    task, masks, logits = Segmentation(2), np.minimum(MASKS, 1), PIXELS[..., :1]
    both = np.concatenate([0 * logits, logits], axis=-1)
    one, two = (
        model(task, unit=True, logits=True),
        keras.Model(i := keras.Input((12, 12, 3)), keras.layers.Conv2D(2, 1)(i)),
    )
    expected = scored(task, two, masks, both)
    assert scored(task, one, masks, logits) == pytest.approx(expected, rel=1e-5)
    assert scored(task, model(task, unit=True), masks, expit(logits)) == pytest.approx(expected, rel=1e-5)
    for net, outputs in ((one, logits), (model(task, unit=True), expit(logits))):
        metric = task.keras_metric(net)
        metric.update_state(masks, outputs)
        assert float(metric.result()) == pytest.approx(expected["mean_IoU"], rel=1e-5)
        assert float(task.training_loss(net)(masks, outputs)) == pytest.approx(expected["loss"], rel=1e-5)
    task.check_model(one, np.zeros((1, 12, 12), np.int32), "mine")
    with pytest.raises(DataError, match="two classes and no ignored label of a model with one channel, received 2"):
        Segmentation(2, 255).check_model(one, np.zeros((1, 12, 12), np.int32), "mine")


def test_pictures() -> None:
    task, outputs = ImageToImage(), (PICTURES + RNG.normal(0, 0.2, PICTURES.shape)).astype(np.float32)
    cut = np.clip(outputs, 0, 1)
    psnr = -10 * np.log10(((cut - PICTURES) ** 2).mean(axis=(1, 2, 3)))
    figures = scored(task, model(task), PICTURES, outputs)
    assert figures["PSNR"] == pytest.approx(psnr.mean(), rel=1e-5)
    assert figures["loss"] == pytest.approx(np.abs(outputs - PICTURES).mean(), rel=1e-5)
    assert 0 < figures["SSIM"] < 0.95 and task.figures(PICTURES, PICTURES + 0)["SSIM"] == pytest.approx(1)


def test_a_picture_without_error_has_a_finite_psnr() -> None:
    """Of infinity no mean could be told from another, and a candidate with such a figure would count as failed."""
    task, outputs = ImageToImage(), PICTURES.copy()
    outputs[0] -= 0.1 * (PICTURES[0] >= 0.1)
    error = np.mean((outputs[0] - PICTURES[0]) ** 2)
    expected = (2 * 100 - 10 * np.log10(error)) / 3
    assert task.figures(PICTURES, outputs)["PSNR"] == pytest.approx(expected, rel=1e-5)
    metric = task.keras_metric(None)
    metric.update_state(PICTURES, outputs)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_pixels_whose_classes_differ_by_rounding_agree() -> None:
    task, outputs = Segmentation(3), PIXELS.copy()
    best, second = np.sort(PIXELS[0, 0, 0])[[-1, -2]]
    places = PIXELS[0, 0, 0].argmax(), PIXELS[0, 0, 0] == second
    near = PIXELS.copy()
    near[0, 0, 0][places[1]] = best - 1e-6
    outputs[0, 0, 0][places[1]] = best + 1e-6
    assert task.agreement(outputs, near) == 1
    assert task.agreement(outputs, PIXELS) == pytest.approx(39 / 40)


@pytest.mark.parametrize("task", TARGETS, ids=lambda task: task.name)
def test_metrics_loss_and_model_go_together(task: Any) -> None:
    """Every metric ranks right outputs before wrong ones, and the loss that training minimizes is finite."""
    data, net = dataset(task), model(task)
    task.check_model(net, data.train.targets, "noise")
    task.check({part: split.targets for part, split in data.parts.items()}, "noise")
    right, wrong = task.made_up(right=True), task.made_up(right=False)
    for metric in task.metrics[:-1]:
        better, worse = (task.figures(*outputs)[metric.name] for outputs in (right, wrong))
        assert better > worse if metric.direction == "maximize" else better < worse, metric
    assert task.metrics[-1].name == "loss" and task.metrics[-1].direction == "minimize"
    assert tasks()[task.name] is type(task)
    assert task.keras_metric(net).name == task.metrics[0].name


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        (Classification(2), np.zeros((3, 4, 4)), "expected integer labels .* set task: segmentation"),
        (Multilabel(), np.array([[0, 2]]), r"zeros and ones, .*\(N, classes\), in mine, .* shape \(1, 2\) from 0 to 2"),
        (Multilabel(), np.array([0, 1]), r"received int64 of shape \(2,\)"),
        (Regression(), np.array([[np.nan]]), "expected finite numbers"),
        (Regression(), np.array(["a"]), "expected finite numbers"),
        (Segmentation(2), np.zeros((2, 4, 4)), "expected masks of class numbers .* received float64"),
        (
            Segmentation(2),
            np.zeros((2, 4, 4, 3), int),
            r"received int64 of shape \(2, 4, 4, 3\)",
        ),
        (ImageToImage(), np.full((1, 12, 12, 3), 2.0), "target images from 0 to 1, or uint8, in mine, received 2 to 2"),
        (ImageToImage(), np.zeros((2, 3)), "expected target images"),
    ],
)
def test_targets_of_another_task_are_refused(task: Any, given: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        task.targets(given, "mine")


def parts(training: Any, validation: Any = None) -> dict[str, Any]:
    return {"training": training, "validation": training if validation is None else validation}


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        (Multilabel(), parts(MANY, MANY[:1]), "with and without each class in the validation split .*class 0, 1, 2"),
        (Multilabel(), parts(MANY, MANY[:, :2]), r"expected validation labels of shape \(3,\) .* received \(2,\)"),
        (Regression(), parts(np.ones((3, 1), np.float32)), "numbers that differ between images"),
        (Regression(), parts(LOGITS, LOGITS[:1]), "numbers that differ between images"),
        (Regression(), parts(LOGITS, LOGITS[:, :1]), r"expected validation numbers of shape \(3,\) .* received \(1,\)"),
        (
            Segmentation(3),
            parts(MASKS, MASKS[:, :3]),
            r"validation masks of shape \(4, 5\) .* received \(3, 5\)",
        ),
        (Segmentation(3, 0), parts(np.zeros_like(MASKS)), "expected pixels that count in the training masks"),
        (ImageToImage(), parts(PICTURES[:, :8]), "at least 11 by 11 pixels .* received 8 by 12"),
    ],
)
def test_targets_that_cannot_be_scored_are_refused(task: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        task.check(given, "mine")


def test_a_label_above_the_classes_is_refused() -> None:
    with pytest.raises(DataError, match="expected test labels from 0 to 2 in data set 'mine', received 0 to 255"):
        Segmentation(3).check_values(IGNORED, "test", "mine")
    Segmentation(3, 255).check_values(IGNORED, "test", "mine")
    assert Segmentation(ignored_label=255).fitted(IGNORED) == Segmentation(3, 255)


@pytest.mark.parametrize("task", [*TARGETS][1:], ids=lambda task: task.name)
def test_a_model_of_another_task_is_refused(task: Any) -> None:
    other = model(Classification(2))
    targets = TARGETS[task](PICTURES)
    with pytest.raises(DataError, match=r"expected outputs of the targets' shape .* received \(2,\) from model 'net'"):
        task.check_model(other, targets, "mine")


def test_an_output_that_is_none_of_the_task_s_is_refused() -> None:
    with pytest.raises(ModelError, match="expected sigmoid or logits .* for multilabel, received softmax"):
        Multilabel().loss(model(Classification(2)))
    with pytest.raises(ModelError, match="expected sigmoid or logits .* for classification, received tanh"):
        inputs = keras.Input((3,))
        Classification(2).loss(keras.Model(inputs, keras.layers.Dense(1, "tanh")(inputs)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "segmentaton",
            {},
            "task: expected one of .*, received 'segmentaton'; did you mean segmentation?",
        ),
        ("regression", {"classes": 3}, "task.options: regression takes none, received classes"),
        ("segmentation", {"ignored": 3}, "segmentation takes classes, ignored_label, received ignored"),
        ("classification", {"classes": 1}, "task.options.classes: expected at least 2, received 1"),
        ("segmentation", {"ignored_label": "255"}, "ignored_label: expected a valid integer .*, received '255'"),
        ("segmentation", {"classes": 3.0}, "options.classes: expected a valid integer .*, received 3.0"),
        ("super_resolution", {"factor": True}, "task.options.factor: expected a valid integer .*, received True"),
        ("multilabel", {"threshold": "half"}, "task.options.threshold: expected a valid number .*, received 'half'"),
        ("multilabel", {"threshold": 1.5}, r"task.options.threshold: expected a number in \(0, 1\), received 1.5"),
    ],
)
def test_a_task_that_cannot_be_made_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_task(name, options)


def test_losses_of_keras_are_those_of_the_outputs_form() -> None:
    """Dice over pixels takes rows of classes; with an ignored label only a loss that can ignore it is taken."""
    task = Segmentation(3)
    dice = task.training_loss(model(task), KerasClass("Dice"))
    rows = np.eye(3, dtype=np.float32)[MASKS]
    assert float(dice(MASKS, softmax(PIXELS, -1))) == pytest.approx(
        float(keras.losses.Dice()(rows, softmax(PIXELS, -1))), rel=1e-5
    )
    with pytest.raises(ConfigError, match="expected one that can ignore a label, SparseCategoricalCrossentropy, rec"):
        Segmentation(3, 255).training_loss(model(task), KerasClass("Dice"))
    with pytest.raises(
        ConfigError, match="loss: expected one that is lower for outputs that are right, received sparse_cat"
    ):
        Regression().check_loss(KerasClass("SparseCategoricalCrossentropy"), False)
    with pytest.raises(ConfigError, match="expected layers that mix no images for regression"):
        Regression().training_loss(model(Regression()), mixed=True)


@pytest.mark.parametrize("task", TARGETS, ids=lambda task: task.name)
def test_what_a_teacher_says_is_least_far_from_itself(task: Any) -> None:
    net, images = model(task), PICTURES
    outputs = net.predict(images, verbose=0)
    said = task.soft(outputs, task.loss(net).from_logits)
    other = task.soft(outputs[::-1], task.loss(net).from_logits)
    assert float(task.soft_loss(said, said, 2.0)) < float(task.soft_loss(other, said, 2.0))
    assert task.agreement(outputs, outputs) == (1 if outputs.shape[-1] > 1 and hasattr(task, "classes") else None)
