"""Knowledge distillation: training losses in which a student also learns from the original model, its teacher.

The task compares both outputs: logits by their softened classes, other outputs by the squared difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from compress.errors import ConfigError
from zoo.tasks.own_task import OwnTask
from zoo.tasks.task import Task

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Distillation:
    """Soft targets (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural Network", section 2).

    Attributes:
        weight: share of the soft loss in the total loss, in (0, 1].
        temperature: divides both logits, above 0; unused for outputs that are no classes.

    Raises:
        ConfigError: a value out of its range.
    """

    weight: float = 0.5
    temperature: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise ConfigError(f"distillation.weight: expected a number in (0, 1], received {self.weight!r}")
        if not 0 < self.temperature < float("inf"):
            raise ConfigError(f"distillation.temperature: expected a number above 0, received {self.temperature!r}")


@dataclass(frozen=True, eq=False)
class Lesson:
    """A teacher with the settings of distillation.

    Attributes:
        teacher: the original model, which is never changed.
        distillation: weight and temperature.
    """

    teacher: Any
    distillation: Distillation


def lesson_of(task: OwnTask, distillation: Distillation | None, teacher: Any) -> Lesson | None:
    """The teacher for models that a task trains; None without distillation, or where the user's own code trains."""
    return None if task.is_own or distillation is None else Lesson(teacher, distillation)


_MOST_BYTES = 500_000_000
"""Largest memory for the outputs of all training images."""


class SoftLabels:
    """The teacher's softened outputs for training images; each is computed once, if all fit in memory.

    Args:
        outputs: computes the outputs (N, ...) of the images at indices (N,).
        images: number of training images.
        shape: of one image's outputs.
    """

    def __init__(self, outputs: Callable[[NDArray[np.int64]], Floats], images: int, shape: tuple[int, ...]) -> None:
        self._outputs = outputs
        self._kept = 4 * images * int(np.prod(shape)) <= _MOST_BYTES
        count = images if self._kept else 0
        self._known, self._rows = np.zeros(count, dtype=np.bool_), np.empty((count, *shape), dtype=np.float32)

    def of(self, indices: NDArray[np.int64]) -> Floats:
        """Softened outputs (N, ...) of the images at these indices (N,)."""
        if not self._kept:
            return self._outputs(indices)
        missing = np.unique(indices[~self._known[indices]])
        if missing.size:
            self._rows[missing] = self._outputs(missing)
            self._known[missing] = True
        return self._rows[indices]


@dataclass(frozen=True)
class TrainingLoss:
    """The loss by the targets, mixed with the distillation loss where there is a teacher.

    Attributes:
        hard: the loss by the targets; its ``from_logits`` says whether outputs are logits.
        task: of the model.
        distillation: weight and temperature; None without a teacher.
    """

    hard: Any
    task: Task
    distillation: Distillation | None = None

    def __call__(self, targets: Any, outputs: Any, soft: Any, weights: Any = None) -> Any:
        """Mean loss over a batch.

        Args:
            targets: of the images, (N, ...).
            outputs: of the model, (N, ...).
            soft: of the teacher, softened, (N, ...); ignored without a teacher.
            weights: sample weights (N,), or None.
        """
        loss = self.hard(targets, outputs, weights)
        if self.distillation is None:
            return loss
        weight, temperature = self.distillation.weight, self.distillation.temperature
        student = self.task.soft(outputs, self.hard.from_logits)
        return (1 - weight) * loss + weight * _share(self.task.soft_loss(student, soft, temperature))


def _share(loss: Any) -> Any:
    """A mean loss divided by the number of devices that share a batch, as Keras's own losses are."""
    return loss / tf.distribute.get_strategy().num_replicas_in_sync


class Distilling(keras.Model):  # type: ignore[misc]
    """Wraps a model for Keras's fit: shares its weights, and trains it with a distillation loss.

    The teacher sees the same images as the student, cropped and mirrored alike (Beyer et al., CVPR 2022, "Knowledge
    distillation: A good teacher is patient and consistent"), and is never changed. Validation is by targets alone, with
    the loss that the model is compiled with.

    Args:
        student: the model to train.
        teacher: the original model.
        loss: of the student's outputs.
        from_logits: whether the teacher gives logits.
    """

    def __init__(self, student: keras.Model, teacher: keras.Model, loss: TrainingLoss, *, from_logits: bool) -> None:
        super().__init__(name=f"{student.name}_distilling")
        self._student, self._taught = student, loss
        # A closure: a model among the attributes would be trained and saved with this one.
        self._soft: Callable[[Any], Any] = lambda images: loss.task.soft(teacher(images, training=False), from_logits)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """The student's outputs (N, ...) for images (N, height, width, channels)."""
        return self._student(images, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """In training the mixed loss, with the regularization of the student's layers; else the compiled one."""
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        return tf.add_n([self._taught(y, y_pred, self._soft(x), sample_weight), *map(_share, self.losses)])
