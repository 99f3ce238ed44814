"""A model in the form that Keras's fit trains: with the original's output names, and with distillation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from objectives.fitting.arrays import Batch
from objectives.network.distillation import Lesson
from zoo.tasks.task import Task


@dataclass(frozen=True)
class SoftOutput:
    """The distillation loss of one output.

    Attributes:
        task: compares logits by their softened classes, or other values by the squared difference.
        from_logits: whether the output is logits.
        weight: of this output's loss in the sum over outputs.
    """

    task: Task
    from_logits: bool = False
    weight: float = 1.0

    def loss(self, student: Any, teacher: Any, temperature: float) -> Any:
        """The weighted distance between the student's and the teacher's output, (N, ...) each."""
        softened, wanted = (self.task.soft(outputs, self.from_logits) for outputs in (student, teacher))
        return self.weight * self.task.soft_loss(softened, wanted, temperature)


class Fitted(keras.Model):  # type: ignore[misc]
    """Wraps a model: shares its weights, and gives its outputs the names that losses and metrics are compiled for.

    Decomposing the last layer renames an output, but losses and metrics are compiled by the original's names.

    Args:
        student: the model to train.
        names: of its outputs, in the order in which Keras flattens them.
        as_mapping: whether to return the outputs as a dictionary by these names, instead of the model's structure.
        lesson: what the original model teaches, or None.
        soft: how each output is compared with the teacher's, in the same order.
    """

    def __init__(
        self,
        student: keras.Model,
        names: Sequence[str],
        *,
        as_mapping: bool = False,
        lesson: Lesson | None = None,
        soft: Sequence[SoftOutput] = (),
    ) -> None:
        super().__init__(name=student.name, trainable=student.trainable)
        self._student, self.output_names = student, list(names)
        self._as_mapping, self._lesson = as_mapping, None if lesson is None else lesson.distillation
        # A closure: a model among the attributes would be trained and saved with this one.
        self._taught: Callable[[Any, Any], Any] | None = None if lesson is None else _taught(lesson, soft)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The student's outputs for inputs as it takes them."""
        outputs = self._student(inputs, training=training)
        if not self._as_mapping:
            return outputs
        return dict(zip(self.output_names, keras.tree.flatten(outputs), strict=True))

    def make_variables(self, batch: Batch) -> None:
        """Make the variables of optimizer and metrics; a traced step that makes them would be traced twice.

        batch: inputs, targets and sample weights of some examples.
        """
        inputs, targets, weights = batch
        outputs = self(inputs, training=False)
        self.optimizer.build(self.trainable_variables)
        self.compute_metrics(inputs, targets, outputs, weights)
        self.compute_loss(inputs, targets, outputs, weights, training=False)
        self.reset_metrics()

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss; in training with a teacher, mixed with the distance from its outputs."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if self._lesson is None or self._taught is None or not training:
            return loss
        regularization = tf.add_n(self.losses) if self.losses else 0.0
        # Keras flattens a dictionary in the order of its sorted keys.
        outputs = [y_pred[name] for name in self.output_names] if self._as_mapping else keras.tree.flatten(y_pred)
        weight = self._lesson.weight
        return (1 - weight) * (loss - regularization) + weight * self._taught(x, outputs) + regularization


def _taught(lesson: Lesson, soft: Sequence[SoftOutput]) -> Callable[[Any, Any], Any]:
    """A function of inputs and the student's outputs in order: the weighted distance from the teacher's outputs."""

    def distance(inputs: Any, students: Sequence[Any]) -> Any:
        teachers = keras.tree.flatten(lesson.teacher(inputs, training=False))
        return tf.add_n(
            [
                each.loss(student, teacher, lesson.distillation.temperature)
                for each, student, teacher in zip(soft, students, teachers, strict=True)
            ]
        )

    return distance


def output_tensors(model: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """The symbolic outputs of a model by name, in the order in which Keras flattens them."""
    return dict(zip(names, keras.tree.flatten(model.output), strict=True))
