"""Training by Keras's fit: a number of gradient steps for a trial, a number of epochs for a final model."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from compress.errors import ConfigError, TaskError
from objectives.fitting.arrays import Arrays
from objectives.fitting.fit_data import FitData, Part, batches, counted
from zoo.data.batches import whole_batches
from zoo.kernels.replacement import own_kernels
from zoo.tasks.metric import Metric
from zoo.tasks.own_class import TrainingBudget
from zoo.training.callbacks import AveragedWeights, BestWeights, DivergenceGuard
from zoo.training.precision import unscaled
from zoo.training.random_states import random_states, seed_random_states
from zoo.training.recalibration import RECALIBRATION_IMAGES, BatchStatistics
from zoo.training.training import TrainingSettings

_MOST_BATCHES = 1_000_000
"""Batches of one pass after which training data of unknown length count as endless."""


@dataclass(frozen=True, eq=False)
class Loop:
    """The training of one compiled model.

    Attributes:
        fitted: the compiled model.
        student: the model whose weights it trains.
        data: the splits.
        batch_size: examples per step from arrays; other data have batches of their own.
        seed: of random layers; the order of arrays is drawn by Keras's global seed.
    """

    fitted: keras.Model
    student: keras.Model
    data: FitData
    batch_size: int
    seed: int

    def steps(self, steps: int) -> None:
        """Take exactly ``steps`` gradient steps, in as many passes over the training data as that needs."""
        self._fit(steps, [_Steps(steps, self.data.reference)])

    def epochs(self, epochs: int, training: TrainingSettings, metric: Metric) -> None:
        """Train for at most ``epochs`` passes, and keep the weights with the best validation metric.

        Args:
            epochs: number of passes.
            training: its early stopping, and its schedule by plateaus.
            metric: of the validation split.
        """
        statistics = _Statistics(self.student, self.data, self.batch_size)
        averages = AveragedWeights() if unscaled(self.fitted.optimizer).use_ema else None
        watching = [averages, statistics, BestWeights(metric, training.early_stopping), training.schedule.plateau]
        bound = _Steps(sys.maxsize, self.data.reference)
        callbacks = [bound, *(one for one in watching if one is not None)]
        self._fit(epochs, callbacks, **_validation(self.data.validation, self.batch_size))

    def _fit(self, epochs: int, callbacks: Sequence[keras.callbacks.Callback], **arguments: Any) -> None:
        seed_random_states(random_states(self.student), self.seed)
        with own_kernels(self.student), warnings.catch_warnings():
            # A pass without a batch is an error here.
            warnings.filterwarnings("ignore", "Your input ran out of data", UserWarning)
            self.fitted.fit(
                **fit_arguments(self.data.train, self.batch_size),
                epochs=epochs,
                # Only arrays can be shuffled here.
                shuffle=isinstance(self.data.train, Arrays),
                verbose=0,
                callbacks=[DivergenceGuard(), *callbacks],
                **arguments,
            )


def steps_of(budget: TrainingBudget, training: TrainingSettings, data: FitData) -> int:
    """Number of steps of a whole training, for its schedule; 1 where it is unknown and the schedule needs none.

    Raises:
        ConfigError: a schedule over all steps, where the data do not say how many these are.
    """
    per_epoch = counted(data.train, budget.batch_size)
    if per_epoch is not None:
        return per_epoch * max(1, budget.epochs or 0)
    if isinstance(training.schedule.rate(1.0, 1), float):
        return 1
    raise ConfigError(
        f"finetune.schedule: expected plateau or constant, as training data of {data.reference!r} do not say how many "
        f"batches they are, received {training.schedule.name}; change it, or add "
        ".apply(tf.data.experimental.assert_cardinality(batches))"
    )


def evaluated(fitted: keras.Model, part: Part, batch_size: int) -> dict[str, Any]:
    """The figures of Keras's evaluate on a split, by name."""
    figures: dict[str, Any] = fitted.evaluate(**fit_arguments(part, batch_size), verbose=0, return_dict=True)
    return figures


def fit_arguments(part: Part, batch_size: int) -> dict[str, Any]:
    """The arguments of fit and evaluate that give a split."""
    if not isinstance(part, Arrays):
        return {"x": part}
    return {"x": part.inputs, "y": part.targets, "sample_weight": part.weights, "batch_size": batch_size}


def _validation(part: Part, batch_size: int) -> dict[str, Any]:
    if not isinstance(part, Arrays):
        return {"validation_data": part}
    parts = (part.inputs, part.targets, *(() if part.weights is None else (part.weights,)))
    return {"validation_data": parts, "validation_batch_size": batch_size}


def calibration_batches(data: FitData, count: int, batch_size: int) -> Iterator[Any]:
    """Whole batches of training inputs as the model takes them, of about ``count`` examples in all."""
    left = count
    for inputs in _inputs(data, min(batch_size, count)):
        size = len(keras.tree.flatten(inputs)[0])
        if left < count and size > left:
            return
        yield inputs
        left -= size


def _inputs(data: FitData, size: int) -> Iterator[Any]:
    """Training inputs of one pass; those of arrays, which may be sorted, are drawn by the seed."""
    part = data.train
    if isinstance(part, Arrays):
        drawn = whole_batches(len(part), size, np.random.default_rng(data.seed))
        yield from (part.taken(np.sort(indices)).inputs for indices in drawn)
        return
    yield from (inputs for inputs, _, _ in batches(part, size))


class _Steps(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends training after ``steps`` steps; raises TaskError for passes without a batch or without an end."""

    def __init__(self, steps: int, reference: str) -> None:
        super().__init__()
        self._steps, self._reference, self._taken, self._before = steps, reference, 0, 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note where the pass begins."""
        self._before = self._taken

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Stop where all steps are taken."""
        self._taken += 1
        self.model.stop_training = self._taken >= self._steps
        if self._taken - self._before > _MOST_BATCHES:
            raise TaskError(
                f"expected training data of {self._reference!r} to end, received more than {_MOST_BATCHES} batches in "
                "one pass; add .take(batches)"
            )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Refuse a pass without a batch."""
        if self._taken == self._before:
            raise TaskError(
                f"expected training data of {self._reference!r} that can be read again and again, received no batch in "
                f"pass {epoch + 1}; return a dataset whose every iteration begins anew"
            )


class _Statistics(keras.callbacks.Callback):  # type: ignore[misc]
    """Estimates the statistics of batch normalization anew before every validation, as for models of other tasks."""

    def __init__(self, student: keras.Model, data: FitData, batch_size: int) -> None:
        super().__init__()
        self._batches: Callable[[], Iterator[Any]] = lambda: calibration_batches(data, RECALIBRATION_IMAGES, batch_size)
        self._statistics = BatchStatistics(student)

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Estimate the statistics for the current weights."""
        self._statistics.estimate(self._batches())
