"""A model of several outputs, each with a task of its own: its loss, its checks, its metrics, and a weight."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from compress.errors import ConfigError, DivergenceError
from objectives.fitting.arrays import Arrays, Structure
from objectives.fitting.built_training import BuiltTraining
from objectives.fitting.fit_data import FitData, batches
from objectives.fitting.fitted import Fitted, SoftOutput, output_tensors
from objectives.fitting.loop import steps_of
from objectives.fitting.output_targets import Targets
from objectives.network.distillation import Lesson
from zoo.data.own_function import OwnFunction
from zoo.tasks.figures.scoring import Scoring
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.metric import LOSS, Metric
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import SplitName
from zoo.tasks.task import Answer, Array, Task
from zoo.training.training import TrainingSettings, made_optimizer


@dataclass(frozen=True)
class OutputTask:
    """The task of one output.

    Attributes:
        task: gives its loss, its checks and its metrics.
        weight: of its loss in the sum over outputs.
    """

    task: Task
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class _Parts:
    """The outputs of one model by name: a model with this output alone, its task, and its loss."""

    views: Mapping[str, Any]
    tasks: Mapping[str, Task]
    losses: Mapping[str, Any]


class OutputsTraining(BuiltTraining):
    """Trains and scores built models by the losses and metrics of a task for each output.

    Args:
        data: returns the splits; targets are dictionaries of the outputs' names.
        outputs: the tasks by the names of outputs; the first metric of the first one ranks.
        names: of the model's outputs, in the order in which Keras flattens them.
        training: of final models; None where only trials are trained.
        optimizer: of trials.
        validation: share of the training arrays that is held out, where the data have no validation of their own.
        seed: of what is held out.

    Raises:
        ConfigError: other names than those of the outputs.
        DataError: the function fails, or returns what fit does not take, or targets that are not of the tasks.
    """

    def __init__(
        self,
        data: OwnFunction,
        outputs: Mapping[str, OutputTask],
        names: Sequence[str],
        training: TrainingSettings | None,
        optimizer: KerasClass,
        validation: float,
        seed: int,
    ) -> None:
        if set(outputs) != set(names):
            raise ConfigError(
                f"task.options.outputs: expected the outputs of the model, {', '.join(names)}, received "
                f"{', '.join(outputs)}; give a task for each"
            )
        keras.utils.set_random_seed(seed)
        targets = Targets({name: outputs[name].task for name in names}, data.reference)
        super().__init__(targets.converted(FitData.of(data(), data.reference, validation, seed)), training)
        self._outputs, self._names, self._optimizer = dict(outputs), tuple(names), optimizer
        self._evaluates: tuple[Any, Any] | None = None
        measured = [metric for name, one in outputs.items() for metric in _named(name, one.task.metrics)]
        self.metrics = (*measured, LOSS)

    def _check_targets(self, model: Any, split: SplitName, targets: Structure) -> None:
        whole, parts = self._data.split(split), self._parts(model)
        given = whole.targets if isinstance(whole, Arrays) else targets
        for name, task in parts.tasks.items():
            values, place = np.asarray(given[name]), f"{name} of {self._data.reference!r}"
            task.check_values(values, split, place)
            task.check_model(parts.views[name], values, place)

    def _kept_by(self, fitted: Fitted) -> Metric:
        first = next(iter(self._outputs))
        metric = self._outputs[first].task.metrics[0]
        return metric if len(self._names) == 1 else replace(metric, name=f"{first}_{metric.name}")

    def _compiled_for(self, model: Any, budget: TrainingBudget, lesson: Lesson | None) -> Fitted:
        parts, first = self._parts(model), next(iter(self._outputs))
        soft = [
            SoftOutput(task, parts.losses[name].from_logits, self._outputs[name].weight)
            for name, task in parts.tasks.items()
        ]
        fitted = Fitted(model, self._names, as_mapping=True, lesson=lesson, soft=soft)
        fitted.compile(
            self._made_optimizer(budget),
            {name: parts.tasks[name].training_loss(parts.views[name]) for name in self._names},
            {name: self._outputs[name].weight for name in self._names},
            metrics={first: [parts.tasks[first].keras_metric(parts.views[first])]},
        )
        return fitted

    def _made_optimizer(self, budget: TrainingBudget) -> Any:
        if budget.steps is not None or self._training is None:
            return made_optimizer(self._optimizer, "proxy.optimizer", budget.learning_rate)
        return self._training.made_optimizer(steps_of(budget, self._training, self._data))

    def evaluate(self, model: Any, split: SplitName) -> dict[str, float]:
        """The figures of every output on all examples, and the weighted sum of their losses.

        Sample weights count in training alone.

        Raises:
            DivergenceError: an output that is not finite.
        """
        parts = self._parts(model)
        scorings = {name: Scoring(parts.tasks[name], parts.losses[name]) for name in self._outputs}
        for targets, outputs in self._answered(model, split):
            for name, scoring in scorings.items():
                parts.tasks[name].check_values(targets[name], split, f"{name} of {self._data.reference!r}")
                scoring.add(targets[name], _finite(outputs[name], name))
        figures: dict[str, float] = {}
        loss = 0.0
        for name, scoring in scorings.items():
            score = scoring.result()
            if not math.isfinite(score.loss):
                raise DivergenceError(f"expected a finite loss of output '{name}', received {score.loss}")
            figures |= {f"{name}_{key}": figure for key, figure in score.figures.items()}
            loss += self._outputs[name].weight * score.loss
        return {**figures, LOSS.name: loss}

    def _answered(self, model: Any, split: SplitName) -> Iterator[tuple[dict[str, Array], dict[str, Array]]]:
        """Targets and outputs of a split by the names of outputs, in batches."""
        call = self._traced(model)
        for inputs, targets, _ in batches(self._data.split(split), self._evaluated):
            outputs = zip(self._names, keras.tree.flatten(call(inputs)), strict=True)
            yield (
                {name: np.asarray(targets[name]) for name in self._names},
                {name: np.asarray(output, np.float32) for name, output in outputs},
            )

    def _answers(
        self, model: Any, targets: Structure, outputs: Sequence[Array]
    ) -> tuple[dict[str, list[Answer]], dict[str, list[Answer]]]:
        parts, given = self._parts(model), dict(zip(self._names, outputs, strict=True))
        right = {name: task.shown_targets(targets[name]) for name, task in parts.tasks.items()}
        answers = {
            name: task.shown_outputs(task.activated(given[name], parts.losses[name].from_logits))
            for name, task in parts.tasks.items()
        }
        return right, answers

    def _traced(self, model: Any) -> Any:
        """The model in inference mode; the trace is kept while the same model is evaluated."""
        if self._evaluates is None or self._evaluates[0] is not model:
            call = tf.function(lambda inputs: model(inputs, training=False), autograph=False, reduce_retracing=True)
            self._evaluates = model, call
        return self._evaluates[1]

    def _parts(self, model: Any) -> _Parts:
        views = {name: keras.Model(model.inputs, tensor) for name, tensor in output_tensors(model, self._names).items()}
        tasks = {name: _of_classes(self._outputs[name].task, view) for name, view in views.items()}
        return _Parts(views, tasks, {name: task.loss(views[name]) for name, task in tasks.items()})


def _named(output: str, metrics: Sequence[Metric]) -> list[Metric]:
    return [replace(metric, name=f"{output}_{metric.name}") for metric in metrics]


def _of_classes(task: Task, view: Any) -> Task:
    """The task with the output's number of classes where its options leave it open; one unit counts as two classes."""
    if getattr(task, "classes", 0) is not None:
        return task
    classes: Any = {"classes": max(2, view.outputs[0].shape[-1])}
    return replace(task, **classes)


def _finite(outputs: Array, name: str) -> Array:
    if np.isfinite(outputs).all():
        return outputs
    raise DivergenceError(
        f"expected finite outputs of '{name}', received NaN or infinity; train with a lower learning rate"
    )
