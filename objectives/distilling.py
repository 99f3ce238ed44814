"""A model that learns from labels and from the original model, image by image."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from objectives.training_loss import TrainingLoss


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
        return tf.add_n([self._taught(y, y_pred, self._soft(x)), *self.losses])


def _logits(outputs: Any, from_logits: bool) -> Any:
    return outputs if from_logits else tf.math.log(outputs + keras.config.epsilon())
