"""The score of a model's outputs on a split, which come in parts and are not kept."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from compress.errors import DivergenceError
from zoo.tasks.metric import LOSS, Metric, Score, metric_classes
from zoo.tasks.task import Task

Array = npt.NDArray[Any]

_VALUES = 4_000_000
"""Values of outputs that a loss or a metric takes at once."""


def images_at_once(outputs: Array) -> int:
    """How many images of outputs like these (N, ...) a loss or a metric takes at once."""
    return max(1, _VALUES // max(1, int(outputs[0].size)))


class MeanLoss:
    """The mean of a loss of Keras over all images that were added, or over their pixels that count.

    Args:
        loss: of Keras.
    """

    def __init__(self, loss: Any) -> None:
        self._loss = loss
        self._total = self._count = 0.0

    def add(self, targets: Array, outputs: Array) -> None:
        """Take in targets and outputs of some images, (N, ...) each."""
        import keras

        values = self._loss.call(targets, outputs)
        # Losses that ignore a class leave zeros in its place, and mark the others so.
        counted = getattr(values, "_keras_mask", None)
        self._total += float(np.sum(keras.ops.convert_to_numpy(values), dtype=np.float64))
        self._count += float(np.size(values) if counted is None else np.sum(keras.ops.convert_to_numpy(counted)))

    @property
    def mean(self) -> float:
        """Of all that was added; 0 where nothing counts."""
        return self._total / self._count if self._count else 0.0


class Scoring:
    """The score of all outputs that were added, of whatever model they are.

    Losses and metrics get blocks of one size, whatever the sizes of the parts, so that sums are rounded alike.

    Args:
        task: what the outputs are for.
        loss: the model's, by ``task.loss``; it says whether outputs are logits.
        metric: what is measured besides, where it is none of the task's; None for nothing.
    """

    def __init__(self, task: Task, loss: Any, metric: Metric | None = None) -> None:
        self._task, self._from_logits, self._loss = task, loss.from_logits, MeanLoss(loss)
        self._figures = task.running_figures()
        own = {one.name for one in task.metrics}
        self._metric = None if metric is None or metric.name in own else metric
        self._state = None if self._metric is None else metric_classes()[self._metric.name](**self._metric.options)
        self._waiting: list[tuple[Array, Array]] = []
        self._images = 0

    def add(self, targets: Array, outputs: Array) -> None:
        """Take in targets and outputs of some images, (N, ...) each, as the model gives them."""
        self._images += len(outputs)
        self._waiting.append((targets, outputs))
        size = images_at_once(outputs)
        if sum(len(part) for _, part in self._waiting) >= size:
            self._measure_waiting(size)

    def _measure_waiting(self, size: int) -> None:
        """Measure blocks of so many images, and leave the rest waiting."""
        targets, outputs = self._all_waiting()
        whole = len(outputs) - len(outputs) % size
        for start in range(0, whole, size):
            self._measure(targets[start : start + size], outputs[start : start + size])
        # Copied, so that what was measured is not held by what is left.
        self._waiting = [(targets[whole:].copy(), outputs[whole:].copy())] if whole < len(outputs) else []

    def _all_waiting(self) -> tuple[Array, Array]:
        if len(self._waiting) == 1:
            return self._waiting[0]
        targets, outputs = zip(*self._waiting, strict=True)
        return np.concatenate(targets), np.concatenate(outputs)

    def _measure(self, targets: Array, outputs: Array) -> None:
        self._loss.add(targets, outputs)
        if not math.isfinite(self._loss.mean):
            return
        shown = self._task.activated(outputs, self._from_logits)
        self._figures.add(targets, shown)
        if self._metric is None or self._state is None:
            return
        # Of classes that are told apart by one unit, metrics get that unit.
        one_unit = outputs.shape[-1] == 1 and shown.shape[-1] == 2
        compared = self._task.compared(self._metric, targets, shown, one_unit=one_unit)
        if len(compared[0]):
            self._state.update_state(*compared)

    def result(self) -> Score:
        """The figures of all outputs; the loss alone where it is not finite.

        Raises:
            DivergenceError: a metric that is not finite though the loss is.
        """
        if self._waiting:
            self._measure(*self._all_waiting())
            self._waiting = []
        mean = self._loss.mean
        if not math.isfinite(mean):
            return Score({LOSS.name: mean})
        figures = {**self._figures.result(), LOSS.name: mean}
        if self._metric is not None and self._state is not None:
            figures[self._metric.name] = self._finite(self._metric, float(self._state.result()))
        return Score(figures)

    def _finite(self, metric: Metric, value: float) -> float:
        if not math.isfinite(value):
            raise DivergenceError(
                f"metric {metric.name}: expected a finite number on {self._images} images, received {value}; "
                "choose another search.metric, or lower the learning rate"
            )
        return value


def score_of(task: Task, targets: Array, outputs: Array, loss: Any, metric: Metric | None = None) -> Score:
    """The score of all outputs at once; arguments and errors are those of ``Scoring``."""
    scoring = Scoring(task, loss, metric)
    scoring.add(targets, outputs)
    return scoring.result()
