"""One training on two devices: what one device computes, interrupted and resumed."""

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from compress.errors import ConfigError
from objectives.network.distillation import Distillation
from objectives.score.fine_tuning import FineTuning
from zoo.data.batches import CropAndFlip
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.training.checkpoint import Checkpoint
from zoo.training.devices import check_divides, devices_line, strategy_of
from zoo.training.training import TrainingSettings, train

SGD = {"momentum": 0.9, "global_clipnorm": 0.5}
# Twenty steps of eight images. Clipping, weights, a teacher and decay would each tell a device's share from the whole.
SETTINGS = TrainingSettings(
    epochs=2,
    learning_rate=0.05,
    batch_size=8,
    optimizer=KerasClass("SGD", SGD),
    class_weights=(1.0, 2.0),
    augmentation=CropAndFlip(1, True),
    seed=3,
)


@dataclass(frozen=True)
class Trained:
    """What a training left: the loss after each step and of each validation, the variables, what was said of it."""

    losses: list[float]
    variables: list[np.ndarray]
    said: list[str | None]


class _Losses(keras.callbacks.Callback):
    """Records losses, and interrupts the second epoch once."""

    def __init__(self, stops: bool) -> None:
        super().__init__()
        self._stops, self.now, self.losses = stops, 0, dict[tuple[int, int], float]()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self.losses[self.now, batch] = float((logs or {})["loss"])
        if self._stops and (self.now, batch) == (1, 4):
            self._stops = False
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.losses[epoch, 99] = (logs or {})["val_loss"]


def _data() -> ImageDataset:
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(80, 6, 6, 1)).astype(np.float32), rng.integers(0, 2, 80)
    # Nine images: one of the devices gets more of them.
    train_split, held_out = Split(images, labels), Split(images[:9], labels[:9])
    plain = Normalization(1.0, (0.0,), (1.0,))
    return ImageDataset("drawn", train_split, held_out, held_out, Classification(2), plain)


def _model(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    convolution = layers.Conv2D(4, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01))
    flat = [layers.Flatten(), layers.Dense(2, "softmax")]
    return keras.Sequential([keras.Input((6, 6, 1)), convolution, *flat])


def _trained(settings: TrainingSettings, folder: Path, stops: bool) -> Trained:
    """A training that is taught by another model, and stopped in its second epoch if it is to be."""
    losses, checkpoint = _Losses(stops), Checkpoint(folder / f"{stops}.npz", "same")
    for _ in range(1 + stops):
        model, tuning = _model(1), FineTuning(settings, Distillation(0.5, 2.0))
        try:
            tuning(model, _data(), _model(2), [losses], checkpoint)
        except KeyboardInterrupt:
            continue
    assert not any(isinstance(variable.value, tf.distribute.DistributedValues) for variable in model.variables)
    said = [devices_line(devices, settings.batch_size) for devices in (1, 2, 3)]
    everything = [variable.numpy() for variable in [*model.variables, *model.optimizer.variables]]
    return Trained([losses.losses[key] for key in sorted(losses.losses)], everything, said)


def _on_one_and_on_two(folder: Path) -> tuple[Trained, Trained]:
    return _trained(SETTINGS, folder, False), _trained(replace(SETTINGS, devices="all"), folder, True)


def test_two_devices_train_as_one_does_across_an_interruption(tmp_path: Path) -> None:
    # A process whose CPU becomes two devices before TensorFlow uses it.
    two_devices = tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    divide = tf.config.set_logical_device_configuration
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), divide, two_devices) as pool:
        one, two = pool.submit(_on_one_and_on_two, tmp_path).result()
    assert len(one.losses) == 22
    np.testing.assert_allclose(two.losses, one.losses, rtol=1e-5)
    for received, expected in zip(two.variables, one.variables, strict=True):
        np.testing.assert_allclose(received, expected, atol=1e-5)
    assert two.said == [
        None,
        "trains on 2 devices, 4 images of a batch of 8 on each",
        "trains on 2 devices, 4 images of a batch of 8 on each: TensorFlow sees no more (devices: 3)",
    ]


def test_a_machine_of_one_device_says_so() -> None:
    assert strategy_of("all") is None and strategy_of(2) is None
    assert devices_line("all", 8) == "trains on one device, CPU:0: TensorFlow sees no other (devices: all)"
    assert devices_line(1, 8) is None


class _Divided:
    num_replicas_in_sync = 2


def test_batches_of_fewer_images_than_devices_are_refused() -> None:
    strategy: Any = _Divided()
    check_divides(strategy, _data(), 40)
    with pytest.raises(ConfigError, match="expected batches of at least 2 images, .* received 1 of 80 training images"):
        check_divides(strategy, _data(), 41)


def test_a_number_of_devices_is_refused_that_is_none() -> None:
    with pytest.raises(ConfigError, match="devices: expected all, or at least 1, received 0"):
        train(_model(1), _data(), TrainingSettings(devices=0))
