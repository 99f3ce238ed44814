"""Training; unless asked otherwise as NPTK's ModelZoo trains, by SGD."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from compress.errors import ConfigError
from zoo.data.batches import Augmentation, ImageBatches, OrderedBatches, evaluated_at_once, own_failures
from zoo.data.dataset import ImageDataset, check_model_fits
from zoo.kernels.replacement import own_kernels
from zoo.tasks.keras_class import KerasClass, subclasses
from zoo.tasks.loss import LabelLoss, loss_classes
from zoo.training.callbacks import AveragedWeights, BestWeights, DivergenceGuard
from zoo.training.checkpoint import Checkpoint, TrainingBackup, assign_all, copies_of
from zoo.training.devices import Devices, Strategy, adding_up, check_divides, divided, strategy_of
from zoo.training.precision import PrecisionName, computing_in, precision_for, scaled, unscaled
from zoo.training.random_states import random_states, seed_random_states
from zoo.training.recalibration import Recalibration
from zoo.training.schedule import Schedule

SGD = KerasClass("SGD", {"momentum": 0.9})

_EVALUATION_BATCH = 512
_LOOKED_AT = 16
"""Images whose range of pixels the augmentation must fit: the first alone may be black."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; the defaults are NPTK's ModelZoo's. Raises ConfigError for values out of range.

    learning_rate: the highest one of the schedule.
    optimizer: a class of `keras.optimizers`; weight decay, clipping and averaged weights (`use_ema`) are its options.
    schedule: how the learning rate changes.
    loss: a class of `keras.losses`; None for the task's own, as cross-entropy of classifiers.
    class_weights: what an image of each class counts, or "balanced" for the inverse of how often the class occurs.
    augmentation: None trains on the images as they are.
    precision: what layers but the last compute in, None for what `precision_for` says; weights are float32 in any case.
    devices: how many of the machine's GPUs the batches are divided among: at most so many, or "all".
    early_stopping: training ends after so many epochs in a row without a better validation; None trains them all.
    seed: of the order of the batches, the augmentation, and dropout.
    """

    epochs: int = 100
    learning_rate: float = 0.1
    batch_size: int = 128
    optimizer: KerasClass = SGD
    schedule: Schedule = Schedule()
    loss: KerasClass | None = None
    class_weights: Literal["balanced"] | tuple[float, ...] | None = None
    augmentation: Augmentation | None = None
    seed: int = 0
    early_stopping: int | None = None
    precision: PrecisionName | None = "float32"
    devices: Devices = 1

    def __post_init__(self) -> None:
        if self.early_stopping is not None and self.early_stopping < 1:
            raise ConfigError(f"expected early_stopping of at least 1 epoch or None, received {self.early_stopping}")
        if min(self.epochs, self.batch_size) < 1:
            raise ConfigError(
                f"expected epochs and batch_size of at least 1, received {self.epochs} and {self.batch_size}"
            )
        if self.devices != "all" and self.devices < 1:
            raise ConfigError(f"devices: expected all, or at least 1, received {self.devices}")
        if not self.learning_rate > 0 or self.seed < 0:
            raise ConfigError(
                f"expected learning_rate above 0 and seed of at least 0, received {self.learning_rate} and {self.seed}"
            )
        weights = self.class_weights if isinstance(self.class_weights, tuple) else (1.0,)
        if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
            raise ConfigError(
                f"class_weights: expected finite weights of at least 0, one or more of them above, received {weights}"
            )
        self.made_optimizer(1)
        if self.loss is not None:
            self.loss.make(loss_classes(), "loss")

    def made_optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        """The optimizer of a training of so many steps.

        Raises:
            ConfigError: a class that there is not, or options that it refuses.
        """
        rate = self.schedule.rate(self.learning_rate, steps)
        return scaled(made_optimizer(self.optimizer, "optimizer", rate), self.precision)

    @property
    def mixes(self) -> bool:
        """Whether labels are shares of classes in training."""
        return self.augmentation is not None and self.augmentation.mixes

    def weights_of_classes(self, data: ImageDataset) -> dict[int, float] | None:
        """What an image of each class counts; None where all count the same.

        Raises:
            ConfigError: another number of weights than classes, or a task without one class an image.
        """
        if self.class_weights is None:
            return None
        counts = data.task.class_counts(data.train.targets)
        if counts is None:
            raise ConfigError(f"class_weights: expected null for {data.task.name}, where an image has no single class")
        if self.class_weights == "balanced":
            return dict(enumerate((len(data.train) / (len(counts) * counts)).tolist()))
        if len(self.class_weights) != len(counts):
            raise ConfigError(
                f"class_weights: expected {len(counts)} weights, one for each class, received {len(self.class_weights)}"
            )
        return dict(enumerate(self.class_weights))

    def check(self, data: ImageDataset) -> None:
        """Refuse what cannot train on a data set.

        Raises:
            ConfigError: weights of other classes, a loss or augmentation that does not take its labels or images.
        """
        self.weights_of_classes(data)
        if self.loss is not None:
            data.task.check_loss(self.loss, self.mixes)
        if self.augmentation is None:
            return
        if data.is_series:
            raise ConfigError(
                f"augment: expected null for series of shape {data.image_shape}, received changes that are for images; "
                "set augment: null"
            )
        self.augmentation.check(data.train.images[:_LOOKED_AT], data.train.targets[:_LOOKED_AT], data.task)


def made_optimizer(optimizer: KerasClass, key: str, learning_rate: Any) -> keras.optimizers.Optimizer:
    """An optimizer of Keras by its name and options.

    Args:
        key: of the configuration, for messages.
        learning_rate: a number or a schedule of Keras.

    Raises:
        ConfigError: a class that there is not, or options that it refuses.
    """
    classes = subclasses(keras.optimizers, keras.optimizers.Optimizer)
    return optimizer.make(classes, key, learning_rate=learning_rate)


@dataclass(frozen=True)
class TrainingResult:
    """epochs in all, wall time of this process in seconds, and the task's first metric on the validation split."""

    epochs: int
    seconds: float
    validation: float


def train(
    model: keras.Model,
    dataset: ImageDataset,
    settings: TrainingSettings,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    learner: keras.Model | None = None,
    teacher: keras.Model | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train `model` in place (weights and compile state) and leave it with its best-validation weights.

    Best is the task's first metric on the validation split, at equal figures the lowest validation loss. Every
    validation is of statistics of batch normalization that have just been estimated anew. Sets Keras's global seed.

    learner: what is fitted in the model's place: a model of the same weights and outputs, with a loss of its own.
    teacher: a model that the learner reads, for every device to have its weights.
    checkpoint: written after every epoch; a run that has one goes on from there, to the same weights.

    Raises DataError where data set and model do not fit, ModelError for outputs that are not of the task, RunError for
    a checkpoint that cannot be read or written, ConfigError for batches that are too small for the devices, and
    DivergenceError, which leaves the weights unusable, when a loss stops being finite.
    """
    check_model_fits(dataset, model)
    keras.utils.set_random_seed(settings.seed)
    seed_random_states(random_states(model), settings.seed)
    settings.check(dataset)
    strategy, steps = strategy_of(settings.devices), len(_batches(dataset, settings, 0))
    check_divides(strategy, dataset, steps)
    with divided([model, teacher], strategy):
        fitted = _compiled(model, learner, dataset, settings, steps, strategy)
        result = _fitted(fitted, model, dataset, settings, callbacks, checkpoint)
        optimizer = copies_of(model.optimizer.variables)
    if strategy is not None:
        model.optimizer = settings.made_optimizer(steps * settings.epochs)
        model.optimizer.build(model.trainable_variables)
        assign_all(model.optimizer.variables, optimizer)
    _compile_as_file(model, dataset)
    return result


def _fitted(
    fitted: keras.Model,
    model: keras.Model,
    dataset: ImageDataset,
    settings: TrainingSettings,
    callbacks: Sequence[keras.callbacks.Callback],
    checkpoint: Checkpoint | None,
) -> TrainingResult:
    """What came of fitting a compiled model, from where the checkpoint is; ``model`` has its weights."""
    best, plateau = BestWeights(dataset.task.metrics[0], settings.early_stopping), settings.schedule.plateau
    averages = AveragedWeights() if unscaled(model.optimizer).use_ema else None
    precision = settings.precision or precision_for(dataset.task)
    backup = None if checkpoint is None else TrainingBackup(checkpoint, model, best, plateau, averages, precision)
    done = 0 if backup is None else backup.resume()
    started = time.perf_counter()
    if done >= settings.epochs or best.is_exhausted:
        model.set_weights(best.weights)
        return TrainingResult(done, 0.0, best.figure)
    # The guard first: no other callback may act on a loss that is not finite.
    recalibration = Recalibration(model, dataset, settings.batch_size, settings.seed)
    watching = [DivergenceGuard(), averages, recalibration, best, plateau, *callbacks, backup]
    batches, validation = _batches(dataset, settings, done), _validation(dataset)
    used = precision if backup is None else backup.precision
    with own_kernels(model), computing_in(model, used), own_failures(batches, validation):
        history = fitted.fit(
            batches,
            initial_epoch=done,
            epochs=settings.epochs,
            shuffle=False,
            verbose=0,
            validation_data=validation,
            class_weight=settings.weights_of_classes(dataset),
            callbacks=[callback for callback in watching if callback is not None],
        )
    return TrainingResult(done + len(history.epoch), time.perf_counter() - started, best.figure)


def _compiled(
    model: keras.Model,
    learner: keras.Model | None,
    dataset: ImageDataset,
    settings: TrainingSettings,
    steps: int,
    strategy: Strategy | None,
) -> keras.Model:
    """What is fitted, in so many steps an epoch: the learner, or the model, which is compiled in any case."""
    loss = dataset.task.training_loss(model, settings.loss, mixed=settings.mixes)
    # One optimizer for both: it holds the momenta of the weights that they share.
    made = settings.made_optimizer(steps * settings.epochs)
    optimizer = made if strategy is None else adding_up(made)
    for trained in [model] if learner is None else [model, learner]:
        trained.compile(
            optimizer,
            loss,
            metrics=[dataset.task.keras_metric(model, mixed=settings.mixes)],
            # XLA compiles no step that waits for other devices.
            jit_compile="auto" if strategy is None else False,
        )
    fitted = model if learner is None else learner
    _make_variables(fitted, model, dataset, settings.mixes)
    return fitted


def _make_variables(fitted: keras.Model, model: keras.Model, dataset: ImageDataset, mixed: bool) -> None:
    """Make the variables of optimizer and metrics: a step that makes them while it is traced is traced once more.

    mixed: whether labels are shares of every class, (N, classes), instead of numbers (N,).
    """
    # In whatever structure the model has its one output, such as a list.
    (made,) = keras.tree.flatten(model.compute_output_spec(keras.KerasTensor((1, *dataset.image_shape))))
    outputs = np.zeros(made.shape, np.float32)
    fitted.optimizer.build(fitted.trainable_variables)
    fitted.compute_metrics(None, outputs if mixed else dataset.train.targets[:1], outputs)
    fitted.reset_metrics()


def _compile_as_file(model: keras.Model, dataset: ImageDataset) -> None:
    """Compile a model with losses and metrics of Keras alone, which whoever loads its file has."""
    loss, metric = dataset.task.loss(model), dataset.task.keras_metric(model)
    named = type(metric) is not keras.metrics.MeanMetricWrapper
    model.compile(
        model.optimizer, loss.rows if isinstance(loss, LabelLoss) else loss, metrics=[metric] if named else []
    )


def _validation(dataset: ImageDataset) -> OrderedBatches:
    split = dataset.validation
    return OrderedBatches(split, dataset.normalization, evaluated_at_once(split, _EVALUATION_BATCH))


def _batches(dataset: ImageDataset, settings: TrainingSettings, epoch: int) -> ImageBatches:
    return ImageBatches(
        dataset.train,
        dataset.normalization,
        settings.batch_size,
        seed=settings.seed,
        task=dataset.task,
        augmentation=settings.augmentation,
        epoch=epoch,
    )
