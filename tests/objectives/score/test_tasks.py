"""Every task is judged and trained as plain Keras would: figures, losses of steps, what a training keeps."""

from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from objectives.network.distillation import Distillation, Distilling, TrainingLoss
from objectives.network.precision import Precision
from objectives.score.proxy import ProxySettings, ScoreProxy
from objectives.score.repair import batches_from
from tests.objectives.images import copy
from tests.objectives.tasks import TARGETS, dataset, model
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.task import Task
from zoo.training.evaluation import evaluate
from zoo.training.training import TrainingSettings, train

EVERY = pytest.mark.parametrize("task", TARGETS, ids=lambda task: task.name)
SETTINGS = ProxySettings(40, 3, 16, 0.05, precision=Precision("float32"))


@cache
def net_of(task: Task, **head: bool) -> keras.Model:
    """A model that nobody may change."""
    return model(task, **head)


@cache
def proxy_of(task: Task) -> ScoreProxy:
    return ScoreProxy(dataset(task), SETTINGS)


def plain_losses(net: keras.Model, task: Task, steps: int) -> list[float]:
    """Losses of steps of SGD with momentum by Keras, on the batches that a trial takes."""
    data, losses = dataset(task), []
    optimizer, loss = keras.optimizers.SGD(SETTINGS.learning_rate, 0.9), task.training_loss(net)
    batches = batches_from(len(data.train), SETTINGS.batch_size, SETTINGS.seed, 0)
    for _ in range(steps):
        indices = next(batches)
        with tf.GradientTape() as tape:
            outputs = net(data.normalization(data.train.images[indices]), training=True)
            value = loss(data.train.targets[indices], outputs)
        optimizer.apply(tape.gradient(value, net.trainable_variables), net.trainable_variables)
        losses.append(float(value))
    return losses


def heads(task: Task) -> list[dict[str, bool]]:
    """How a model of the task may end."""
    forms = [{}] if task.name in ("regression", "image_to_image") else [{}, {"logits": True}]
    return [*forms, {"unit": True}, {"unit": True, "logits": True}] if isinstance(task, Classification) else forms


@EVERY
def test_a_trial_takes_the_steps_of_plain_keras(task: Task) -> None:
    for head in heads(task):
        net = net_of(task, **head)
        losses = proxy_of(task).start(net).advance(3, lambda step: SETTINGS.learning_rate)
        np.testing.assert_allclose(losses, plain_losses(copy(net), task, 3), rtol=1e-4, err_msg=str(head))


@EVERY
def test_a_trial_is_scored_as_a_model_is(task: Task) -> None:
    net, data, proxy = net_of(task), dataset(task), proxy_of(task)
    score = proxy.score(proxy.start(net), data.validation)
    assert dict(score.figures) == pytest.approx(dict(evaluate(net, data, data.validation).figures), rel=1e-4)
    assert score.figures.keys() == {metric.name for metric in task.metrics}


@EVERY
def test_a_training_keeps_the_best_epoch_of_the_first_metric(task: Task) -> None:
    net, data, metric = model(task), dataset(task), task.metrics[0]
    seen: list[float] = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs[f"val_{metric.name}"]))
    result = train(net, data, TrainingSettings(3, 0.05, 16), [record])
    assert result.validation == (max(seen) if metric.direction == "maximize" else min(seen))
    kept = evaluate(net, data, data.validation).figure(metric)
    # Average precision is scikit-learn's; within a training, Keras's area under the same curve.
    assert kept == pytest.approx(result.validation, rel=0.1 if task.name == "multilabel" else 1e-4)


@EVERY
def test_a_student_is_compared_with_its_teacher(task: Task) -> None:
    """By distillation alone: the loss of a trial's first step, and of a training's first batch."""
    data, distillation = dataset(task), Distillation(1.0, 2.0)
    indices = next(batches_from(len(data.train), SETTINGS.batch_size, SETTINGS.seed, 0))
    images, targets = data.normalization(data.train.images[indices]), data.train.targets[indices]
    for head in heads(task):
        teacher, student = net_of(task, **head), copy(net_of(task, **head))
        student.set_weights([weight + 0.1 for weight in student.get_weights()])
        logits = task.loss(student).from_logits
        outputs = student(images, training=True)
        soft = task.soft(teacher(images), logits)
        expected = float(task.soft_loss(task.soft(outputs, logits), soft, 2.0))
        proxy = ScoreProxy(data, replace(SETTINGS, distillation=distillation), teacher)
        assert proxy.start(student).advance(1, lambda step: 0.1) == pytest.approx([expected], rel=1e-4), head
        loss = TrainingLoss(task.training_loss(student), task, distillation)
        learner = Distilling(student, teacher, loss, from_logits=logits)
        assert float(learner.compute_loss(images, targets, outputs)) == pytest.approx(expected, rel=1e-4), head
        assert expected > float(task.soft_loss(soft, soft, 2.0)) + 1e-4


def test_masks_that_are_ignored_teach_nothing() -> None:
    """A step on masks of which all pixels are ignored leaves the weights as they are."""
    task = Segmentation(3, 9)
    net, data = model(task), dataset(task)
    data.train.targets[...] = 9
    proxy = ScoreProxy(data, SETTINGS)
    assert proxy.start(net).advance(1, lambda step: 1.0) == [0.0]
