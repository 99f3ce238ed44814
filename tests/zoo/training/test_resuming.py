"""A training that goes on from its checkpoint ends in exactly the weights of one that nothing disturbed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from compress.errors import RunError
from zoo.data.batches import CropAndFlip
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.data.load import load_dataset
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.training.augmentation import KerasAugmentation
from zoo.training.checkpoint import Checkpoint, TrainingProgress, TrainingState
from zoo.training.random_states import random_states, seed_random_states
from zoo.training.schedule import Schedule
from zoo.training.training import TrainingSettings, train

# Too high a rate: the validation loss rises, and the schedule has something to count.
SETTINGS = TrainingSettings(
    epochs=5,
    learning_rate=1.0,
    batch_size=64,
    schedule=Schedule("plateau", {"patience": 2, "factor": 0.5}),
    augmentation=CropAndFlip(1, True),
    seed=3,
)


STATE = TrainingState(TrainingProgress(1, 0.5, 1.0, 0, None, 0, 0, "float32"), [np.ones(2)], [], [np.ones(2)])


@pytest.fixture(scope="module")
def few() -> ImageDataset:
    digits = load_dataset("digits", validation=0.3)
    return replace(digits, train=Split(digits.train.images[:200], digits.train.targets[:200]))


def _random() -> keras.Model:
    """With statistics that move, and a layer that draws, whose seed is chance's each time."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Dropout(0.4)(layers.BatchNormalization()(layers.Flatten()(inputs)))
    model = keras.Model(inputs, layers.Dense(10, "softmax")(x))
    random_states(model)[0].assign(np.random.default_rng().integers(1, 2**32, 2))
    return model


class _Stop(keras.callbacks.Callback):
    """Interrupts an epoch in its middle."""

    def __init__(self, epoch: int | None) -> None:
        super().__init__()
        self.at, self.now, self.rate, self.rates = epoch, -1, 0.0, list[float]()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.now, self.rate = epoch, float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if (self.now, batch) == (self.at, 1):
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.rates.append(self.rate)


def _all(model: keras.Model) -> list[np.ndarray]:
    return [np.array(variable.numpy()) for variable in [*model.variables, *model.optimizer.variables]]


def _same(received: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def _stopped(path: Path, few: ImageDataset, settings: TrainingSettings, epoch: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(_random(), few, settings, [_Stop(epoch)], checkpoint=Checkpoint(path, "x"))


def test_every_tensor_is_that_of_the_undisturbed_run(few: ImageDataset, tmp_path: Path) -> None:
    whole, watch = _random(), _Stop(None)
    expected = train(whole, few, SETTINGS, [watch])
    # The schedule is in the middle of its count when the run is stopped, for the first time and for the second.
    assert watch.rates == [1, 1, 1, 0.5, 0.5]
    path = tmp_path / "folder" / "one.npz"
    _stopped(path, few, SETTINGS, 2)
    _stopped(path, few, SETTINGS, 4)
    model, rest = _random(), _Stop(None)
    received = train(model, few, SETTINGS, [rest], checkpoint=Checkpoint(path, "x"))
    assert (received.epochs, received.validation) == (5, expected.validation)
    assert rest.rates == watch.rates[4:]
    _same(_all(model), _all(whole))
    # What is whole is only put back.
    again = _random()
    assert train(again, few, SETTINGS, [_Stop(0)], checkpoint=Checkpoint(path, "x")) == replace(received, seconds=0.0)
    _same(_all(again), _all(whole))
    assert sorted(file.name for file in path.parent.iterdir()) == ["one.npz"]


RECIPES = {
    "half precision, averages": {
        "optimizer": KerasClass("SGD", {"momentum": 0.9, "use_ema": True}),
        "precision": "mixed_float16",
    },
    "one cycle, averages, mixed images, own loss": {
        "optimizer": KerasClass("AdamW", {"clipnorm": 0.5, "use_ema": True, "ema_momentum": 0.9}),
        "schedule": Schedule("one_cycle"),
        "loss": KerasClass("CategoricalFocalCrossentropy", {"label_smoothing": 0.1}),
        "augmentation": KerasAugmentation((KerasClass("RandomErasing"), KerasClass("CutMix"))),
        "class_weights": "balanced",
    },
}


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_every_recipe_goes_on_where_it_was(few: ImageDataset, tmp_path: Path, recipe: str) -> None:
    settings = TrainingSettings(epochs=3, learning_rate=0.05, batch_size=64, seed=3, **RECIPES[recipe])
    whole, path = _random(), tmp_path / "one.npz"
    expected = train(whole, few, settings)
    _stopped(path, few, settings, 2)
    model = _random()
    received = train(model, few, settings, checkpoint=Checkpoint(path, "x"))
    assert received.validation == expected.validation
    _same(_all(model), _all(whole))


def test_every_random_layer_has_a_stream_of_its_own() -> None:
    dropped = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0)])
    states = random_states(dropped)
    seed_random_states(states, 2**32 - 1)
    assert [state.numpy().tolist() for state in states] == [[2**32 - 1, 0], [0, 0]]


def test_a_state_of_something_else_is_not_taken_up(few: ImageDataset, tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    _stopped(path, few, SETTINGS, 1)
    assert (Checkpoint(path, "x").is_foreign, Checkpoint(path, "y").is_foreign) == (False, True)
    progress = Checkpoint(path, "x").progress
    assert progress is not None and (progress.epochs, progress.waited) == (1, 0)
    begun = _Stop(None)
    train(_random(), few, replace(SETTINGS, epochs=2), [begun], checkpoint=Checkpoint(path, "y"))
    assert (len(begun.rates), Checkpoint(path, "x").is_foreign) == (2, True)


def test_a_checkpoint_that_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    path.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(RunError, match=r"one.npz' cannot be read \(.*\); delete it to train anew"):
        Checkpoint(path, "x").state()


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written .* make room, and run the same command again"):
        Checkpoint(tmp_path / "file" / "one.npz", "x").write(STATE)


class _Scripted(keras.callbacks.Callback):
    """Gives a model of one kernel weights that classify two images right, one of them, or none; w is its size."""

    def __init__(self, kernels: list[float], stop: int | None = None) -> None:
        super().__init__()
        self.kernels, self.stop, self.begun = kernels, stop, 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if epoch == self.stop:
            raise KeyboardInterrupt
        self.begun += 1
        self.model.set_weights([np.array([[-self.kernels[epoch], self.kernels[epoch]]])])


# Right where positive, and the larger, the lower the loss. Counted from 0, epoch 2 is better than 0 by its accuracy and
# 3 by its loss; 4 has the figures of 3, and 5 is worse: with a patience of 2 it is the last.
KERNELS = [-1.0, -2.0, 1.0, 3.0, 3.0, 2.0, 5.0, 6.0]


def test_training_stops_where_nothing_is_better(tmp_path: Path) -> None:
    split = Split(np.array([-1.0, 1.0], np.float32).reshape(2, 1, 1, 1), np.array([0, 1]))
    dataset = ImageDataset("two", split, split, split, Classification(2), Normalization(1.0, (0.0,), (1.0,)))
    settings = TrainingSettings(epochs=8, learning_rate=1e-30, early_stopping=2)
    layers = keras.layers
    model = keras.Sequential([keras.Input((1, 1, 1)), layers.Flatten(), layers.Dense(2, "softmax", use_bias=False)])
    checkpoint = Checkpoint(tmp_path / "one.npz", "x")
    with pytest.raises(KeyboardInterrupt):
        train(model, dataset, settings, [_Scripted(KERNELS, 5)], checkpoint=checkpoint)
    for begun in (1, 0):  # The rest, and once it is over nothing.
        model.set_weights([np.zeros((1, 2))])
        script = _Scripted(KERNELS)
        result = train(model, dataset, settings, [script], checkpoint=checkpoint)
        assert (result.epochs, result.validation, script.begun) == (6, 1.0, begun)
        np.testing.assert_array_equal(model.get_weights()[0], [[-3.0, 3.0]])


def test_a_run_goes_on_in_the_precision_that_it_began_in(
    few: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine where another one is fast."""
    settings, checkpoint = replace(SETTINGS, learning_rate=0.05, precision=None), Checkpoint(tmp_path / "run.npz", "a")
    monkeypatch.setattr("zoo.training.training.precision_for", lambda task: "mixed_bfloat16")
    whole, stopped, resumed = _convolution(), _convolution(), _convolution()
    train(whole, few, settings)
    with pytest.raises(KeyboardInterrupt):
        train(stopped, few, settings, [_Stop(2)], checkpoint=checkpoint)
    monkeypatch.setattr("zoo.training.training.precision_for", lambda task: "float32")
    train(resumed, few, settings, checkpoint=checkpoint)
    for one, other in zip(_all(whole), _all(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    exact = _convolution()
    train(exact, few, settings)
    assert any(np.any(one != other) for one, other in zip(_all(whole), _all(exact), strict=True))


def _convolution() -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    middle = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.Flatten()]
    return keras.Sequential([keras.Input((8, 8, 1)), *middle, layers.Dense(10, "softmax")])
