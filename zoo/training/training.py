"""Training and evaluation of classifiers, as NPTK's ModelZoo trains: SGD with momentum and ReduceLROnPlateau."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from compress.errors import ConfigError, DivergenceError
from zoo.data.batches import Augmentation, ImageBatches, OrderedBatches
from zoo.data.dataset import ImageDataset, Normalization, Split, check_model_fits
from zoo.training.callbacks import BestWeights, DivergenceGuard
from zoo.training.checkpoint import Checkpoint, TrainingBackup
from zoo.training.loss import loss_for
from zoo.training.recalibration import Recalibration
from zoo.training.subsampling import subsampled


def random_states(model: Any) -> list[Any]:
    """The state variables of all random layers, in the model's order."""
    return [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]


def seed_random_states(states: Sequence[Any], seed: int) -> None:
    """Begin every random layer anew, each in a stream of its own that the seed decides."""
    for stream, state in enumerate(states):
        state.assign([(seed + stream) % 2**32, 0])


_EVALUATION_BATCH = 512


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; the defaults are NPTK's ModelZoo's. Raises ConfigError for values out of range.

    weight_decay: decoupled (weight -= learning rate x decay x weight each step, the kind of Keras); 0 is none.
    augmentation: None trains on the images as they are.
    factor, patience: the learning rate is multiplied by `factor` when the validation loss has not improved for
        `patience` epochs.
    early_stopping: training ends after so many epochs in a row without a better validation; None trains them all.
    seed: of the order of the batches, the augmentation, and dropout.
    """

    epochs: int = 100
    learning_rate: float = 0.1
    momentum: float = 0.9
    batch_size: int = 128
    weight_decay: float = 0.0
    augmentation: Augmentation | None = None
    factor: float = 0.1
    patience: int = 10
    seed: int = 0
    early_stopping: int | None = None

    def __post_init__(self) -> None:
        if self.early_stopping is not None and self.early_stopping < 1:
            raise ConfigError(f"expected early_stopping of at least 1 epoch or None, received {self.early_stopping}")
        if min(self.epochs, self.batch_size, self.patience) < 1:
            raise ConfigError(
                "expected epochs, batch_size and patience of at least 1, "
                f"received {self.epochs}, {self.batch_size} and {self.patience}"
            )
        if not self.learning_rate > 0 or not 0 <= self.momentum < 1 or self.weight_decay < 0:
            raise ConfigError(
                "expected learning_rate above 0, momentum in [0, 1) and weight_decay of at least 0, "
                f"received {self.learning_rate}, {self.momentum} and {self.weight_decay}"
            )
        if not 0 < self.factor < 1 or self.seed < 0:
            raise ConfigError(
                f"expected factor in (0, 1) and seed of at least 0, received {self.factor} and {self.seed}"
            )

    def for_fine_tuning(self) -> "TrainingSettings":
        """These settings at a tenth of the learning rate, for a model that is already trained."""
        return replace(self, learning_rate=self.learning_rate / 10)


@dataclass(frozen=True)
class TrainingResult:
    """epochs in all, wall time of this process in seconds, and validation accuracy (0 to 1) of the weights kept."""

    epochs: int
    seconds: float
    validation_accuracy: float


def train(
    model: keras.Model,
    dataset: ImageDataset,
    settings: TrainingSettings,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    learner: keras.Model | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train `model` in place (weights and compile state) and leave it with its best-validation weights.

    Best is the highest validation accuracy, at equal accuracy the lowest validation loss. Every validation is of
    statistics of batch normalization that have just been estimated anew. Sets Keras's global seed.

    learner: what is fitted in the model's place: a model of the same weights and outputs, with a loss of its own.
    checkpoint: written after every epoch; a run that has one goes on from there, to the same weights.

    Raises DataError where data set and model do not fit, ModelError for an output that is no classifier's, RunError for
    a checkpoint that cannot be read or written, and DivergenceError, which leaves the weights unusable, when a loss
    stops being finite.
    """
    check_model_fits(dataset, model)
    keras.utils.set_random_seed(settings.seed)
    seed_random_states(random_states(model), settings.seed)
    fitted = _compiled(model, learner, settings)
    best = BestWeights(settings.early_stopping)
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=settings.factor, patience=settings.patience)
    backup = None if checkpoint is None else TrainingBackup(checkpoint, model, best, plateau)
    done = 0 if backup is None else backup.resume()
    started = time.perf_counter()
    if done >= settings.epochs or best.is_exhausted:
        model.set_weights(best.weights)
        return TrainingResult(done, 0.0, best.accuracy)
    # The guard first: no other callback may act on a loss that is not finite.
    recalibration = Recalibration(model, dataset, settings.batch_size, settings.seed)
    backups = [] if backup is None else [backup]
    watching = [DivergenceGuard(), recalibration, best, plateau, *callbacks, *backups]
    with subsampled(model):
        history = fitted.fit(
            _batches(dataset, settings, done),
            initial_epoch=done,
            epochs=settings.epochs,
            shuffle=False,
            verbose=0,
            validation_data=OrderedBatches(dataset.validation, dataset.normalization, _EVALUATION_BATCH),
            callbacks=watching,
        )
    return TrainingResult(done + len(history.epoch), time.perf_counter() - started, best.accuracy)


def _compiled(model: keras.Model, learner: keras.Model | None, settings: TrainingSettings) -> keras.Model:
    """What is fitted: the learner, or the model, which is compiled in any case, as its file keeps its optimizer."""
    for trained in [model] if learner is None else [model, learner]:
        # One optimizer for both: it holds the momenta of the weights that they share.
        optimizer = _optimizer(settings) if trained is model else model.optimizer
        trained.compile(optimizer, loss_for(model), metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")])
    return model if learner is None else learner


def _batches(dataset: ImageDataset, settings: TrainingSettings, epoch: int) -> ImageBatches:
    return ImageBatches(
        dataset.train,
        dataset.normalization,
        settings.batch_size,
        seed=settings.seed,
        augmentation=settings.augmentation,
        epoch=epoch,
    )


def _optimizer(settings: TrainingSettings) -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(
        settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay or None
    )


def evaluate(
    model: keras.Model, split: Split, normalization: Normalization, batch_size: int = _EVALUATION_BATCH
) -> float:
    """Top-1 accuracy, 0 to 1, of a classifier whose output is (N, classes); the model need not be compiled.

    Raises DivergenceError when an output is not finite.
    """
    outputs = model.predict(OrderedBatches(split, normalization, batch_size), verbose=0)
    if not np.isfinite(outputs).all():
        broken = int((~np.isfinite(outputs).all(axis=-1)).sum())
        raise DivergenceError(
            f"expected finite outputs from {model.name!r}, received NaN or infinity for {broken} of {len(split)} "
            "images; train with a lower learning rate"
        )
    return float(np.mean(outputs.argmax(axis=-1) == split.labels))
