"""Candidates of a task of the user's own: trained by its steps, rung by rung, and resumed by stage."""

import keras
import numpy as np
import pytest

from compress.parameters import CompressionParameters
from objectives.score.fine_tuning import FineTuning
from objectives.score.own_trials import OwnTrials
from objectives.score.proxy import ProxySettings
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import OwnTask
from zoo.training.checkpoint import Checkpoint
from zoo.training.training import TrainingSettings

SETTINGS = ProxySettings(steps=2, batch_size=4, learning_rate=0.5, recalibration_images=8, seed=7)
IMAGES = np.random.default_rng(0).normal(3, 2, (8, 4, 4, 3)).astype("float32")
HALF = CompressionParameters({"conv": 0.5}, {})


class Counting:
    """Adds to the first weight what tells how it was called; with images or without."""

    def __init__(self, images: bool = False) -> None:
        self.budgets: list[TrainingBudget] = []
        if images:
            self.calibration_images = lambda count: IMAGES[:count]

    def fit(self, model, budget):
        self.budgets.append(budget)
        kernel = model.trainable_weights[0]
        kernel.assign(kernel * 0.9 + (budget.steps or 100 * budget.epochs) * (1 + budget.done))

    def evaluate(self, model, split):
        return {"sum": sum(float(np.sum(weight)) for weight in model.trainable_weights), "split": len(split)}


@pytest.fixture
def net():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.BatchNormalization(name="norm")(inputs)
    x = keras.layers.Conv2D(4, 1, name="conv")(x)
    return keras.Model(inputs, keras.layers.Conv2D(2, 1, name="head")(x))


def own(**options):
    return OwnTask.load(f"{__name__}:Counting", options)


def test_a_trial_goes_on_with_its_model_and_another_worker_takes_the_same_steps(net):
    task, before = own(), net.get_weights()
    trials = OwnTrials(net, task, SETTINGS, rungs=(2, 5, 9))
    trial = trials.start(HALF)
    climbed = [trials.rung(trial, steps) for steps in (2, 5)]
    assert task.user.budgets == [
        TrainingBudget(steps=2, learning_rate=0.5, batch_size=4, seed=7),
        TrainingBudget(steps=3, learning_rate=0.5, batch_size=4, seed=7, done=2),
    ]
    assert trial.model.get_layer("conv").filters == 2 and trial.steps == 5
    assert [result.recalibration_images for result in climbed] == [0, 0]
    assert trials.rung(trials.start(HALF), 5).score == climbed[1].score != climbed[0].score
    assert climbed[0].score.figures["split"] == len("validation")
    for weight, kept in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_a_probe_takes_no_step_and_statistics_are_those_of_the_images(net):
    task = own(images=True)
    trials = OwnTrials(net, task, SETTINGS)
    trial = trials.start(HALF)
    assert trials.rung(trial, 0).recalibration_images == 8 and task.user.budgets == []
    norm = trial.model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, IMAGES.mean((0, 1, 2)), rtol=1e-5)
    batches = IMAGES.reshape(2, 4 * 16, 3)
    np.testing.assert_allclose(norm.moving_variance, batches.var(1).mean(0), rtol=1e-4)


def test_a_training_that_has_ended_is_not_repeated(net, tmp_path):
    task, tuning = own(), FineTuning(TrainingSettings(epochs=3, learning_rate=0.25, batch_size=4, seed=7))
    checkpoint, before = Checkpoint(tmp_path / "prune.npz", "same"), net.get_weights()
    assert tuning(net, task, net, checkpoint=checkpoint).epochs == 3
    trained = net.get_weights()
    net.set_weights(before)
    assert tuning(net, task, net, checkpoint=checkpoint).epochs == 3
    assert task.user.budgets == [TrainingBudget(epochs=3, learning_rate=0.25, batch_size=4, seed=7)]
    for weight, expected in zip(net.get_weights(), trained, strict=True):
        np.testing.assert_array_equal(weight, expected)
