"""A task as the model's file was compiled: its loss, loss weights, metrics and optimizer, by Keras itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from compress.model_files.compiled import CompiledModel
from objectives.fitting.arrays import Structure
from objectives.fitting.built_training import BuiltTraining
from objectives.fitting.checks import check_targets
from objectives.fitting.fit_data import FitData
from objectives.fitting.fitted import Fitted, output_tensors
from objectives.fitting.keras_losses import output_losses
from objectives.fitting.loop import evaluated, steps_of
from objectives.fitting.shown import plain_answers
from objectives.network.distillation import Lesson
from zoo.data.own_function import OwnFunction
from zoo.tasks.metric import LOSS, Direction, Metric
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import SplitName
from zoo.tasks.task import Answer, Array
from zoo.training.training import TrainingSettings

_DIRECTIONS: dict[str | None, Direction] = {"up": "maximize", "down": "minimize"}
_NO_RATE = 0.0
"""The learning rate of models that are only evaluated."""


class CompiledTraining(BuiltTraining):
    """Trains and scores built models as the original's file was compiled.

    Args:
        data: returns the splits.
        compiled: how the original was compiled.
        training: of final models: batch size, schedule, early stopping; the optimizer is the file's. None where only
            trials are trained.
        validation: share of the training arrays that is held out, where the data have no validation of their own.
        seed: of what is held out.

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
        super().__init__(FitData.of(data(), data.reference, validation, seed), training)
        self._compiled = compiled

    def _check_targets(self, model: Any, split: SplitName, targets: Structure) -> None:
        names, arguments = self._compiled.output_names, self._arguments(_NO_RATE)
        losses = output_losses(arguments["loss"], arguments["loss_weights"], names)
        shapes = [tuple(tensor.shape) for tensor in keras.tree.flatten(model.output)]
        is_checked = [loss.is_of_keras for loss in losses]
        check_targets(targets, names, shapes, is_checked, f"{split} of {self._data.reference!r}")

    def _compiled_for(self, model: Any, budget: TrainingBudget, lesson: Lesson | None) -> Fitted:
        rate: Any = budget.learning_rate
        if budget.steps is None and self._training is not None:
            rate = self._training.schedule.rate(rate, steps_of(budget, self._training, self._data))
        return self._fitted(model, rate, lesson)

    def _fitted(self, model: Any, rate: Any, lesson: Lesson | None = None) -> Fitted:
        names, arguments = self._compiled.output_names, self._arguments(rate)
        soft = []
        if lesson is not None:
            views = [keras.Model(model.inputs, tensor) for tensor in output_tensors(model, names).values()]
            losses = output_losses(arguments["loss"], arguments["loss_weights"], names)
            soft = [loss.soft(view) for loss, view in zip(losses, views, strict=True)]
        fitted = Fitted(model, names, lesson=lesson, soft=soft)
        fitted.compile(**arguments)
        return fitted

    def _arguments(self, rate: Any) -> dict[str, Any]:
        """New arguments of ``compile``, with one step per execution so that steps can be counted."""
        arguments: dict[str, Any] = keras.saving.deserialize_keras_object(dict(self._compiled.config))
        optimizer = keras.optimizers.get(arguments["optimizer"])
        return {"loss_weights": None, **arguments, "steps_per_execution": 1, "optimizer": at_rate(optimizer, rate)}

    def evaluate(self, model: Any, split: SplitName) -> dict[str, Any]:
        """What Keras's evaluate returns, the compiled metrics first, then the loss, and that of each output."""
        held = self._held
        if held is None or held.student is not model:
            held = self._hold(model, self._fitted(model, _NO_RATE))
        figures = evaluated(held.fitted, self._data.split(split), self._evaluated)
        return {metric.name: figures[metric.name] for metric in self._note_metrics(held.fitted)}

    def _answers(
        self, model: Any, targets: Structure, outputs: Sequence[Array]
    ) -> tuple[dict[str, list[Answer]], dict[str, list[Answer]]]:
        names = self._compiled.output_names
        flat = [targets[name] for name in names] if isinstance(targets, Mapping) else keras.tree.flatten(targets)
        titles = names if len(names) > 1 else ("",)
        pairs = {title: plain_answers(*pair) for title, *pair in zip(titles, flat, outputs, strict=True)}
        return {title: right for title, (right, _) in pairs.items()}, {title: own for title, (_, own) in pairs.items()}

    def _kept_by(self, fitted: Fitted) -> Metric:
        return next(metric for metric in self._note_metrics(fitted) if metric.name not in self.undirected)

    def _note_metrics(self, fitted: Fitted) -> tuple[Metric, ...]:
        """Names and directions of what a compiled model measures; its loss ranks where it has no metric."""
        ways = compiled_metrics(fitted)
        losses = [Metric(one.name, "minimize") for one in fitted.metrics if one.name.endswith(f"_{LOSS.name}")]
        noted = (*(Metric(name, way or "maximize") for name, way in ways.items()), LOSS, *losses)
        self.metrics = noted
        self.undirected = frozenset(name for name, way in ways.items() if way is None)
        return noted


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
