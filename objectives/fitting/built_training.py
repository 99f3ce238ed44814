"""The common part of tasks whose built models are trained and scored by Keras's fit."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from objectives.fitting.arrays import Arrays, Structure
from objectives.fitting.checks import check_inputs
from objectives.fitting.fit_data import DEFAULT_BATCH, FitData
from objectives.fitting.fitted import Fitted
from objectives.fitting.loop import Loop, calibration_batches
from objectives.fitting.shown import first_of, images_of
from objectives.network.distillation import Lesson
from zoo.data.digest import arrays_digest
from zoo.tasks.metric import Metric
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import SplitName
from zoo.tasks.task import Answer, Array, Shown
from zoo.training.training import TrainingSettings

_SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
_Answers = Mapping[str, Sequence[Answer]]


@dataclass(frozen=True, eq=False)
class _Held:
    """The model that was compiled last, and its compiled form."""

    student: Any
    fitted: Fitted


class BuiltTraining(ABC):
    """Trains and scores built models by Keras's fit; has the methods of a user's own task class.

    Args:
        data: the splits.
        training: settings of final models; None where only trials are trained.

    Attributes:
        metrics: the metrics that ``evaluate`` returns, the ranking one first; None before the first evaluation.
        undirected: names of metrics of which it is not known whether more is better.
        calibration_images: returns training images as the model takes them; None for a model of several inputs.

    Raises:
        DataError: a split without examples.
    """

    metrics: tuple[Metric, ...] | None = None
    undirected: frozenset[str] = frozenset()

    def __init__(self, data: FitData, training: TrainingSettings | None) -> None:
        self._data, self._training = data, training
        self._evaluated = DEFAULT_BATCH if training is None else training.batch_size
        self._held: _Held | None = None
        self._sample = data.first("validation")
        several = len(keras.tree.flatten(self._sample[0])) > 1
        self.calibration_images = None if several else self._images

    @property
    def digest(self) -> str | None:
        """SHA-256 of the training and validation arrays; None where one of them is a dataset, which may vary."""
        parts = (self._data.train, self._data.validation)
        if not all(isinstance(part, Arrays) for part in parts):
            return None
        leaves = keras.tree.flatten([(part.inputs, part.targets, part.weights) for part in parts])
        return arrays_digest(leaf for leaf in leaves if leaf is not None)

    def check(self, model: Any) -> None:
        """Refuse data that do not fit a model, or that have no end.

        Raises:
            DataError, ModelError: names the split or the output.
        """
        self._data.check_ends(trains_epochs=self._training is not None)
        for split in _SPLITS:
            inputs, targets, _ = self._data.first(split)
            check_inputs(inputs, model, f"{split} of {self._data.reference!r}")
            self._check_targets(model, split, targets)

    @abstractmethod
    def _check_targets(self, model: Any, split: SplitName, targets: Structure) -> None:
        """Refuse targets of the first examples of a split that do not fit a model."""

    def fit(self, model: Any, budget: TrainingBudget, lesson: Lesson | None = None) -> None:
        """Train a model in place; a trial that is continued keeps its optimizer.

        Args:
            model: to train.
            budget: steps or epochs, learning rate, batch size and seed.
            lesson: the teacher of distillation; None without distillation.
        """
        held = self._held
        if held is None or held.student is not model or not budget.done:
            held = self._hold(model, self._compiled_for(model, budget, lesson))
        loop = Loop(held.fitted, model, self._data, budget.batch_size, budget.seed + budget.done)
        if budget.steps is not None or self._training is None:
            loop.steps(budget.steps or 0)
        else:
            loop.epochs(budget.epochs or 0, self._training, self._kept_by(held.fitted))

    def _hold(self, model: Any, fitted: Fitted) -> _Held:
        fitted.make_variables(self._sample)
        self._held = _Held(model, fitted)
        return self._held

    @abstractmethod
    def _compiled_for(self, model: Any, budget: TrainingBudget, lesson: Lesson | None) -> Fitted:
        """A model, compiled for a training."""

    @abstractmethod
    def _kept_by(self, fitted: Fitted) -> Metric:
        """The metric by which a final training keeps weights, as Keras names it."""

    @abstractmethod
    def evaluate(self, model: Any, split: SplitName) -> dict[str, Any]:
        """The figures of a model on a split."""

    def shown(self, model: Any, count: int) -> Shown | None:
        """The first ``count`` test examples, and a model's answers to them; None where no input is an image."""
        inputs, targets, _ = self._data.first("test", count)
        inputs = first_of(inputs, count)
        images = images_of(inputs)
        if images is None:
            return None
        outputs = [np.asarray(one, np.float32) for one in keras.tree.flatten(model(inputs, training=False))]
        return Shown(images, *self._answers(model, first_of(targets, count), outputs))

    @abstractmethod
    def _answers(self, model: Any, targets: Structure, outputs: Sequence[Array]) -> tuple[_Answers, _Answers]:
        """Targets and outputs as a report shows them, by the names of outputs."""

    def calibration_batches(self, count: int, batch_size: int) -> Iterator[Any]:
        """Training inputs in batches as the model takes them, of about ``count`` examples in all."""
        return calibration_batches(self._data, count, batch_size)

    def _images(self, count: int) -> Array:
        parts = [np.asarray(keras.tree.flatten(batch)[0]) for batch in self.calibration_batches(count, count)]
        return np.concatenate(parts)[:count]
