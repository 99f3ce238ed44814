"""A task as the model's file was compiled: its loss, loss weights, metrics and optimizer, by Keras itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from compress.model_files.compiled import CompiledModel
from objectives.fitting.checks import check_inputs, check_targets
from objectives.fitting.fit_data import DEFAULT_BATCH, FitData
from objectives.fitting.fitted import Fitted, output_tensors
from objectives.fitting.keras_losses import output_losses
from objectives.fitting.loop import Loop, calibration_batches, evaluated, steps_of
from objectives.network.distillation import Lesson
from zoo.data.own_function import OwnFunction
from zoo.tasks.metric import LOSS, Direction, Metric
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import SplitName
from zoo.tasks.task import Array
from zoo.training.training import TrainingSettings

_DIRECTIONS: dict[str | None, Direction] = {"up": "maximize", "down": "minimize"}
_NO_RATE = 0.0
"""The learning rate of models that are only evaluated."""

_SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class _Held:
    """The model that was trained or scored last, in its compiled form."""

    student: Any
    fitted: Fitted


class CompiledTraining:
    """Trains and scores built models as the original's file was compiled.

    Args:
        data: returns the splits.
        compiled: how the original was compiled.
        training: of final models: batch size, schedule, early stopping; the optimizer is the file's. None where only
            trials are trained.
        validation: share of the training arrays that is held out, where the data have no validation of their own.
        seed: of what is held out.

    Attributes:
        metrics: what ``evaluate`` returns, the compiled metrics first; None before a model was evaluated.
        undirected: names of metrics of which Keras does not say whether more is better.
        calibration_images: training images as the model takes them; None where it takes several inputs.

    Raises:
        DataError: the function fails, or returns what fit does not take.
    """

    def __init__(
        self,
        data: OwnFunction,
        compiled: CompiledModel,
        training: TrainingSettings | None,
        validation: float,
        seed: int,
    ) -> None:
        keras.utils.set_random_seed(seed)
        self._data = FitData.of(data(), data.reference, validation, seed)
        self._compiled, self._training = compiled, training
        self._evaluated = DEFAULT_BATCH if training is None else training.batch_size
        self.metrics: tuple[Metric, ...] | None = None
        self.undirected: frozenset[str] = frozenset()
        self._held: _Held | None = None
        self._sample = self._data.first("validation")
        several = len(keras.tree.flatten(self._sample[0])) > 1
        self.calibration_images = None if several else self._images

    def check(self, model: Any) -> None:
        """Refuse data that do not fit a model, or that never end.

        Raises:
            DataError: names the split.
        """
        self._data.check_ends(trains_epochs=self._training is not None)
        names, arguments = self._compiled.output_names, self._arguments(1.0)
        losses = output_losses(arguments["loss"], arguments["loss_weights"], names)
        shapes = [tuple(tensor.shape) for tensor in keras.tree.flatten(model.output)]
        for split in _SPLITS:
            inputs, targets, _ = self._data.first(split)
            what = f"{split} of {self._data.reference!r}"
            check_inputs(inputs, model, what)
            check_targets(targets, names, shapes, [loss.is_of_keras for loss in losses], what)

    def fit(self, model: Any, budget: TrainingBudget, lesson: Lesson | None = None) -> None:
        """Train a model in place by the compiled loss and optimizer, at the learning rate of the budget."""
        held = self._held
        if held is None or held.student is not model or not budget.done:
            held = self._held = self._made(model, self._rate(budget), lesson)
        loop = Loop(held.fitted, model, self._data, budget.batch_size, budget.seed + budget.done)
        if budget.steps is not None:
            loop.steps(budget.steps)
        else:
            self._note_metrics(held.fitted)
            known = [metric for metric in self.metrics or () if metric.name not in self.undirected]
            loop.epochs(budget.epochs or 0, self._training or TrainingSettings(), known[0])

    def _rate(self, budget: TrainingBudget) -> Any:
        """The learning rate of the budget for a trial; of a final model what the schedule makes of it."""
        if budget.steps is not None or self._training is None:
            return budget.learning_rate
        return self._training.schedule.rate(budget.learning_rate, steps_of(budget, self._training, self._data))

    def evaluate(self, model: Any, split: SplitName) -> dict[str, Any]:
        """What Keras's evaluate returns, the compiled metrics first, then the loss, and that of each output."""
        if self._held is None or self._held.student is not model:
            self._held = self._made(model, _NO_RATE, None)
        fitted = self._held.fitted
        figures = evaluated(fitted, self._data.split(split), self._evaluated)
        self._note_metrics(fitted)
        return {metric.name: figures[metric.name] for metric in self.metrics or ()}

    def calibration_batches(self, count: int, batch_size: int) -> Iterator[Any]:
        """Training inputs in batches as the model takes them, of about so many examples in all."""
        return calibration_batches(self._data.train, count, batch_size)

    def _images(self, count: int) -> Array:
        parts = [np.asarray(keras.tree.flatten(batch)[0]) for batch in self.calibration_batches(count, count)]
        return np.concatenate(parts)[:count]

    def _note_metrics(self, fitted: Fitted) -> None:
        """Names and directions of what a compiled model that has been called measures."""
        ways = compiled_metrics(fitted)
        losses = [Metric(one.name, "minimize") for one in fitted.metrics if one.name.endswith(f"_{LOSS.name}")]
        self.metrics = (*(Metric(name, way or "maximize") for name, way in ways.items()), LOSS, *losses)
        self.undirected = frozenset(name for name, way in ways.items() if way is None)

    def _made(self, model: Any, rate: Any, lesson: Lesson | None) -> _Held:
        names, arguments = self._compiled.output_names, self._arguments(rate)
        soft = []
        if lesson is not None:
            views = [keras.Model(model.inputs, tensor) for tensor in output_tensors(model, names).values()]
            losses = output_losses(arguments["loss"], arguments["loss_weights"], names)
            soft = [loss.soft(view) for loss, view in zip(losses, views, strict=True)]
        fitted = Fitted(model, names, lesson=lesson, soft=soft)
        fitted.compile(**arguments)
        fitted.make_variables(self._sample)
        return _Held(model, fitted)

    def _arguments(self, rate: Any) -> dict[str, Any]:
        """The arguments of ``compile``, objects of their own each time, by which steps can be counted."""
        arguments: dict[str, Any] = keras.saving.deserialize_keras_object(dict(self._compiled.config))
        optimizer = keras.optimizers.get(arguments["optimizer"])
        return {"loss_weights": None, **arguments, "steps_per_execution": 1, "optimizer": at_rate(optimizer, rate)}


def at_rate(optimizer: Any, rate: Any) -> Any:
    """An optimizer of the same class and options at another learning rate."""
    config = optimizer.get_config()
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = at_rate(optimizer.inner_optimizer, rate)
        return type(optimizer).from_config({**config, "inner_optimizer": keras.saving.serialize_keras_object(inner)})
    return type(optimizer).from_config({**config, "learning_rate": rate})


def compiled_metrics(fitted: Any) -> dict[str, Direction | None]:
    """The metrics that a model was compiled with, by the names that Keras returns, and which way is better.

    Keras says that of its own classes, for callbacks; None where it does not.
    """
    compiled = next((one for one in fitted.metrics if one.name == "compile_metrics"), None)
    if compiled is None:
        return {}
    return {
        name: _DIRECTIONS.get(getattr(metric, "_direction", None))
        for name, metric in zip(compiled.result(), compiled.metrics, strict=True)
    }
