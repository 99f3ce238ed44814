"""The training loss of the shared network, with the original model as teacher where distillation is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from compress.errors import ConfigError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Distillation:
    """Soft targets (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural Network", section 2).

    Attributes:
        weight: share of the soft loss in the whole, in (0, 1].
        temperature: by which both logits are divided, above 0.

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

    def loss(self, logits: Any, soft: Any) -> Any:
        """Mean cross-entropy of softened outputs with softened targets, times the square of the temperature.

        Args:
            logits: of the model, (N, classes).
            soft: logits of the original model, (N, classes), up to a constant for each image.
        """
        targets = tf.nn.softmax(soft / self.temperature)
        entropies = tf.nn.softmax_cross_entropy_with_logits(targets, logits / self.temperature)
        return self.temperature**2 * tf.reduce_mean(entropies)


class SoftLabels:
    """The original model's logits for images, each computed once.

    Args:
        logits: logits (N, classes) of the images at some indices (N,).
        images: how many images there are.
        classes: how many columns the logits have.
    """

    def __init__(self, logits: Callable[[NDArray[np.int64]], Floats], images: int, classes: int) -> None:
        self._logits = logits
        self._row = np.full(images, -1, dtype=np.int64)
        self._found: Floats = np.empty((0, classes), dtype=np.float32)

    def of(self, indices: NDArray[np.int64]) -> Floats:
        """Logits (N, classes) of the images at these indices (N,)."""
        missing = np.unique(indices[self._row[indices] < 0])
        if missing.size:
            self._row[missing] = len(self._found) + np.arange(missing.size)
            self._found = np.concatenate([self._found, self._logits(missing)])
        return self._found[self._row[indices]]


@dataclass(frozen=True)
class TrainingLoss:
    """Cross-entropy with labels, mixed with distillation where there is one.

    Attributes:
        hard: what labels are compared with the model's outputs by, which says whether these are logits.
        distillation: how much the original model's outputs count, or None.
    """

    hard: Any
    distillation: Distillation | None = None

    def __call__(self, labels: Any, outputs: Any, soft: Any, weights: Any = None) -> Any:
        """Mean loss of labels (N,), outputs (N, classes) and logits to distil (N, classes), or (N, 0) without.

        weights: what each image's label counts (N,), or None.
        """
        loss = self.hard(labels, outputs, weights)
        if self.distillation is None:
            return loss
        logits = outputs if self.hard.from_logits else tf.math.log(outputs + keras.config.epsilon())
        weight = self.distillation.weight
        return (1 - weight) * loss + weight * self.distillation.loss(logits, soft)


class Distilling(keras.Model):  # type: ignore[misc]
    """Has the weights and the outputs of a model, and in training the loss of one that is taught.

    The teacher sees the same images as the student, cropped and mirrored alike (Beyer et al., CVPR 2022, "Knowledge
    distillation: A good teacher is patient and consistent"), and is never changed. Validation is by labels alone, with
    the loss that the model is compiled with.

    Args:
        student: the model to train.
        teacher: the original model: softmax probabilities or logits (N, classes), as `from_logits` says.
        loss: of the student's outputs.
        from_logits: whether the teacher gives logits.
    """

    def __init__(self, student: keras.Model, teacher: keras.Model, loss: TrainingLoss, *, from_logits: bool) -> None:
        super().__init__(name=f"{student.name}_distilling")
        self._student, self._taught = student, loss
        # Behind a function: a model among the attributes would be trained and saved with this one.
        self._soft: Callable[[Any], Any] = lambda images: _logits(teacher(images, training=False), from_logits)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """The student's outputs (N, classes) for images (N, height, width, channels)."""
        return self._student(images, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """In training the mixed loss, with the regularization of the student's layers; else the compiled one."""
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        return tf.add_n([self._taught(y, y_pred, self._soft(x), sample_weight), *self.losses])


def _logits(outputs: Any, from_logits: bool) -> Any:
    return outputs if from_logits else tf.math.log(outputs + keras.config.epsilon())
