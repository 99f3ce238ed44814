"""One epoch of one batch, by hand: labels and a teacher."""

import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from compress.errors import ConfigError, TaskError
from objectives.network.distillation import Distillation
from objectives.score.fine_tuning import FineTuning
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.own_class import OwnClass
from zoo.tasks.own_task import OwnTask
from zoo.training.training import TrainingSettings

RNG = np.random.default_rng(2)
IMAGES, KERNEL, TAUGHT = (RNG.normal(size=size).astype(np.float32) for size in ((6, 1, 1, 4), (4, 3), (4, 3)))
LABELS = np.array([0, 1, 2, 2, 1, 0])
PIXELS = IMAGES.reshape(6, 4)
WEIGHT, TEMPERATURE, RATE, DECAY = 0.3, 2.0, 0.5, 0.01


class _Logs(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.result = dict(logs or {})


def _linear(kernel: np.ndarray, activation: str | None, dropout: float = 0.0, decay: float = 0.0) -> keras.Model:
    layers = keras.layers
    dense = layers.Dense(3, activation, use_bias=False, kernel_regularizer=keras.regularizers.L2(decay))
    model = keras.Sequential([keras.Input((1, 1, 4)), layers.Flatten(), layers.Dropout(dropout), dense])
    model.set_weights([kernel])
    return model


def _data() -> ImageDataset:
    split = Split(IMAGES, LABELS)
    return ImageDataset("six", split, split, split, Classification(3), Normalization(1.0, (0.0,) * 4, (1.0,) * 4))


@pytest.mark.parametrize(("student", "teacher"), [("softmax", None), (None, "softmax")])
def test_a_step_of_distillation_by_hand(student: str | None, teacher: str | None) -> None:
    """A teacher that dropped anything out, or a student without its regularization, would end elsewhere."""
    model, original = _linear(KERNEL, student, decay=DECAY), _linear(TAUGHT, teacher, dropout=0.9)
    logs = _Logs()
    tuning = FineTuning(TrainingSettings(epochs=1, learning_rate=RATE, batch_size=6), Distillation(WEIGHT, TEMPERATURE))
    tuning(model, _data(), original, [logs])
    ours, theirs = PIXELS @ KERNEL, PIXELS @ TAUGHT
    hard = -log_softmax(ours, axis=1)[np.arange(6), LABELS].mean()
    soft = -(softmax(theirs / TEMPERATURE, axis=1) * log_softmax(ours / TEMPERATURE, axis=1)).sum(1).mean()
    loss = (1 - WEIGHT) * hard + WEIGHT * TEMPERATURE**2 * soft + DECAY * (KERNEL**2).sum()
    assert logs.result["loss"] == pytest.approx(loss, rel=1e-5)
    slope = (1 - WEIGHT) * (softmax(ours, axis=1) - np.eye(3)[LABELS])
    slope += WEIGHT * TEMPERATURE * (softmax(ours / TEMPERATURE, axis=1) - softmax(theirs / TEMPERATURE, axis=1))
    expected = KERNEL - RATE * (PIXELS.T @ slope / 6 + 2 * DECAY * KERNEL)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4, atol=1e-5)
    # Validation is by labels.
    after = -log_softmax(PIXELS @ expected, axis=1)[np.arange(6), LABELS].mean() + DECAY * (expected**2).sum()
    assert logs.result["val_loss"] == pytest.approx(after, rel=1e-4)
    np.testing.assert_array_equal(original.get_weights()[0], TAUGHT)
    assert original.trainable and not original.compiled
    # What is saved is the student, with the momenta of its own weights.
    assert model.optimizer.variables[-1].shape == (4, 3)


def test_a_chosen_loss_and_class_weights_count_beside_a_teacher() -> None:
    """The labels' share by the recipe, the teacher's untouched by either."""
    model, weights = _linear(KERNEL, None), np.array([2.0, 0.5, 1.0])
    smoothed = KerasClass("CategoricalCrossentropy", {"label_smoothing": 0.3})
    settings = TrainingSettings(1, RATE, 6, loss=smoothed, class_weights=tuple(weights.tolist()))
    FineTuning(settings, Distillation(WEIGHT, TEMPERATURE))(model, _data(), _linear(TAUGHT, None))
    ours, theirs = PIXELS @ KERNEL, PIXELS @ TAUGHT
    slope = (1 - WEIGHT) * weights[LABELS, None] * (softmax(ours, axis=1) - (0.7 * np.eye(3)[LABELS] + 0.1))
    slope += WEIGHT * TEMPERATURE * (softmax(ours / TEMPERATURE, axis=1) - softmax(theirs / TEMPERATURE, axis=1))
    np.testing.assert_allclose(model.get_weights()[0], KERNEL - RATE * PIXELS.T @ slope / 6, rtol=1e-4, atol=1e-5)


def test_without_distillation_labels_alone_count() -> None:
    model, logs = _linear(KERNEL, None), _Logs()
    FineTuning(TrainingSettings(epochs=1, learning_rate=RATE, batch_size=6))(model, _data(), model, [logs])
    slope = softmax(PIXELS @ KERNEL, axis=1) - np.eye(3)[LABELS]
    np.testing.assert_allclose(model.get_weights()[0], KERNEL - RATE * PIXELS.T @ slope / 6, rtol=1e-4, atol=1e-5)


class Hanging:
    """A training of a user that never ends, and makes another error of whatever interrupts it."""

    def fit(self, model: object, budget: object) -> None:
        try:
            threading.Event().wait()
        except Exception as error:
            raise ValueError("no") from error

    def evaluate(self, model: object, split: str) -> dict[str, float]:
        return {"one": 1.0}


def _hangs(tuning: FineTuning) -> None:
    model = _linear(KERNEL, None)
    tuning(model, OwnTask(OwnClass.load(f"{__name__}:Hanging"), {}), model)


def test_a_training_that_hangs_is_given_up() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TaskError, match="timeout: expected a training that ends within 0.1 s, received one that did n"):
        _hangs(FineTuning(TrainingSettings(epochs=1), timeout=0.1))
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_no_thread_but_the_main_one_can_be_interrupted() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(ConfigError, match="timeout: expected null outside of the main"):
        pool.submit(_hangs, FineTuning(TrainingSettings(epochs=1), timeout=0.1)).result()
