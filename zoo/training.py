"""Training and evaluation of classifiers, as NPTK's ModelZoo trains: SGD with momentum and ReduceLROnPlateau."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

from compress.errors import ConfigError, DivergenceError
from zoo.callbacks import BestWeights, DivergenceGuard
from zoo.data.batches import Augmentation, ImageBatches, OrderedBatches
from zoo.data.dataset import ImageDataset, Normalization, Split, check_model_fits
from zoo.loss import loss_for
from zoo.subsampling import subsampled

_EVALUATION_BATCH = 512


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are NPTK's ModelZoo's. Raises ConfigError for values out of range.

    weight_decay: decoupled (weight -= learning rate x decay x weight each step, the kind of Keras); 0 is none.
    augmentation: None trains on the images as they are.
    factor, patience: the learning rate is multiplied by `factor` when the validation loss has not improved for
        `patience` epochs.
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

    def __post_init__(self) -> None:
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

    def for_fine_tuning(self) -> "Recipe":
        """The same recipe at a tenth of the learning rate, for a model that is already trained."""
        return replace(self, learning_rate=self.learning_rate / 10)


@dataclass(frozen=True)
class TrainingResult:
    """epochs run, wall time in seconds, and the top-1 validation accuracy (0 to 1) of the weights kept."""

    epochs: int
    seconds: float
    validation_accuracy: float


def train(
    model: keras.Model, dataset: ImageDataset, recipe: Recipe, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> TrainingResult:
    """Train `model` in place (weights and compile state) and leave it with its best-validation weights.

    Best is the highest validation accuracy, at equal accuracy the lowest validation loss. Sets Keras's global seed.
    Raises DataError where data set and model do not fit, ModelError for an output that is no classifier's, and
    DivergenceError, which leaves the weights unusable, when a loss stops being finite.
    """
    check_model_fits(dataset, model)
    keras.utils.set_random_seed(recipe.seed)
    model.compile(_optimizer(recipe), loss_for(model), metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")])
    best = BestWeights()
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=recipe.factor, patience=recipe.patience)
    batches = ImageBatches(
        dataset.train, dataset.normalization, recipe.batch_size, seed=recipe.seed, augmentation=recipe.augmentation
    )
    started = time.perf_counter()
    with subsampled(model):
        history = model.fit(
            batches,
            epochs=recipe.epochs,
            shuffle=False,
            verbose=0,
            validation_data=OrderedBatches(dataset.validation, dataset.normalization, _EVALUATION_BATCH),
            # The guard first: no other callback may act on a loss that is not finite.
            callbacks=[DivergenceGuard(), best, plateau, *callbacks],
        )
    return TrainingResult(len(history.epoch), time.perf_counter() - started, best.accuracy)


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(
        recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay or None
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
