"""A task for each output: data, losses and figures of every kind of data, against the formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from compress.errors import ConfigError, DataError
from compress.model_files.files import load_model
from objectives.fitting.outputs import OutputsTraining, OutputTask
from objectives.fitting.tasks import FittedTask
from objectives.network.distillation import Distillation, Lesson
from tests.objectives.fitting.two_outputs import Given, arrays, model, saved
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.own_class import TrainingBudget
from zoo.training.training import SGD, TrainingSettings

OUTPUTS = {"mask": OutputTask(Segmentation()), "kind": OutputTask(Classification(), 0.25)}
NAMES = ("mask", "kind")


class Batches(keras.utils.PyDataset):
    """Arrays in batches of 8."""

    def __init__(self, images, targets):
        super().__init__()
        self.images, self.targets = images, targets

    def __len__(self):
        return -(-len(self.images) // 8)

    def __getitem__(self, index):
        part = slice(8 * index, 8 * index + 8)
        return self.images[part], {name: value[part] for name, value in self.targets.items()}


def parts(kind):
    """Three splits of one kind of data, class numbers of the second output in a column."""
    given = []
    for images, targets, _ in (arrays(), arrays(20, 1), arrays(20, 2)):
        columns = targets | {"kind": targets["kind"][:, None]}
        whole = images, columns
        given.append({"arrays": whole, "dataset": dataset(whole), "batches": Batches(*whole)}[kind])
    return tuple(given)


def dataset(whole):
    return tf.data.Dataset.from_tensor_slices(whole).batch(8)


def trainer(data, training=None, outputs=OUTPUTS, names=NAMES):
    return OutputsTraining(Given(data), outputs, names, training, KerasClass("SGD", {"momentum": 0.5}), 0.2, 0)


@pytest.mark.parametrize("kind", ["arrays", "dataset", "batches"])
def test_figures_are_those_of_each_task(kind):
    own, net = trainer(parts(kind)), model(as_mapping=False)
    own.check(net)
    figures = own.evaluate(net, "test")
    assert [metric.name for metric in own.metrics] == list(figures)
    images, targets, _ = arrays(20, 2)
    mask, logits = (np.asarray(output, np.float64) for output in net(images))
    assert figures["mask_pixel_accuracy"] == pytest.approx((mask.argmax(-1) == targets["mask"]).mean())
    assert figures["kind_accuracy"] == pytest.approx((logits.argmax(-1) == targets["kind"]).mean())
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    losses = {
        "mask": -np.log(np.take_along_axis(mask, targets["mask"][..., None], -1)).mean(),
        "kind": -np.log(np.take_along_axis(shares, targets["kind"][:, None], -1)).mean(),
    }
    for name, loss in losses.items():
        assert figures[f"{name}_loss"] == pytest.approx(loss, rel=1e-5)
    assert figures["loss"] == pytest.approx(losses["mask"] + 0.25 * losses["kind"], rel=1e-5)


@pytest.mark.parametrize("kind", ["arrays", "dataset", "batches"])
def test_training_lowers_the_weighted_loss(kind, losses):
    settings = TrainingSettings(epochs=1, batch_size=8, learning_rate=0.1)
    own, net = trainer(parts(kind), settings), model(as_mapping=False)
    before = own.evaluate(net, "validation")
    own.fit(net, TrainingBudget(steps=12, learning_rate=0.1, batch_size=8))
    middle = own.evaluate(net, "validation")
    assert len(losses) == 12 and middle["loss"] < before["loss"]
    if kind == "arrays":
        own.fit(net, TrainingBudget(epochs=1, learning_rate=0.1, batch_size=8))
        assert own.evaluate(net, "validation")["mask_mean_IoU"] >= middle["mask_mean_IoU"]


def test_a_student_that_is_its_teacher_learns_the_teacher_s_entropy(losses):
    net = model(as_mapping=False)
    net.get_layer("norm").trainable = False  # Training and inference give the same outputs.
    images, targets, _ = arrays()
    own = trainer(parts("arrays"))
    lesson = Lesson(model(as_mapping=False), Distillation(1.0, 2.0))
    own.fit(net, TrainingBudget(steps=1, batch_size=40), lesson)
    mask, logits = (np.asarray(output, np.float64) for output in lesson.teacher(images))
    soft = 0.0
    for output, share in ((np.log(mask + 1e-7), 1.0), (logits, 0.25)):
        shares = np.exp(output / 2)
        shares /= shares.sum(-1, keepdims=True)
        soft -= share * 4 * (shares * np.log(shares)).sum(-1).mean()
    regularization = 0.01 * np.sum(lesson.teacher.get_layer("kind").kernel.numpy() ** 2)
    assert losses == pytest.approx([soft + regularization], rel=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": None}, "a dictionary of targets mask, kind in train of 'given', one for each output, received mask"),
        ({"more": np.zeros(40)}, "targets mask, kind in train of 'given', .* received mask, kind, more"),
        ({"kind": np.zeros((40, 2))}, "kind in train of 'given'"),
        ({"mask": np.zeros((40, 8))}, "expected masks of class numbers"),
        ({"mask": np.full((40, 8, 8), 3)}, "expected .* from 0 to 2 in data set \"mask of 'given'\", received 3 to 3"),
        ({"mask": np.zeros((40, 4, 4), int)}, "expected .*8, 8"),
    ],
)
def test_targets_that_are_none_of_the_outputs(change, message):
    images, targets, _ = arrays()
    changed = {name: value for name, value in {**targets, **change}.items() if value is not None}
    with pytest.raises(DataError, match=message):
        trainer(((images, changed), (images, targets), (images, targets))).check(model(as_mapping=False))


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (None, "task.options.outputs: expected a task for each output, such as .* received None"),
        ({"mask": "segmentation"}, "expected the outputs of the model, kind, mask, received mask; give a task for"),
        ({"mask": {"task": "segmentation"}}, "outputs.mask: expected the name of a task, or a section with name, opt"),
        (
            {"mask": {"name": "segmentation", "loss": "Dice"}},
            "outputs.mask: expected name, options, weight, received",
        ),
        ({"mask": {"name": "segmentation", "weight": -1}}, "outputs.mask.weight: expected a number of at least 0"),
        ({"mask": "segmentations"}, "outputs.mask.name: expected one of classification"),
        ({"mask": {"name": "segmentation", "options": {"labels": 3}}}, "outputs.mask.options: segmentation takes clas"),
    ],
)
def test_options_that_say_no_task_for_each_output(outputs, message, tmp_path):
    path = saved(tmp_path / "net.keras")
    with pytest.raises(ConfigError, match=message):
        FittedTask(path, None, f"{__name__}:three", 0, 0.1, None).make("outputs", {"outputs": outputs}, SGD)


def three():
    return parts("arrays")


def test_the_task_of_a_configuration(tmp_path):
    path = saved(tmp_path / "net.keras")
    options = {"outputs": {"mask": {"name": "segmentation", "options": {"classes": 3}}, "kind": "classification"}}
    net = load_model(path)
    own = FittedTask(path, None, f"{__name__}:three", 0, 0.1, None).make("outputs", options, SGD).fitted(net)
    assert (own.metrics[0].name, own.metrics[0].unit, own.image_size) == ("mask_mean_IoU", "%", (8, 8))
    assert own.metric("kind_accuracy").direction == "maximize" and own.images(3).shape == (3, 8, 8, 3)
    with pytest.raises(ConfigError, match="expected one of mask_mean_IoU, mask_pixel_accuracy, mask_loss, kind_accur"):
        own.metric("accuracy")
