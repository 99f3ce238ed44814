"""What fine-tuning minimizes: the cross-entropy with the labels, and with the original model's outputs."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from objectives.distillation import Distillation


@dataclass(frozen=True)
class TrainingLoss:
    """Cross-entropy with labels, mixed with distillation where there is one.

    Attributes:
        hard: the sparse cross-entropy that fits the model's output.
        distillation: how much the original model's outputs count, or None.
    """

    hard: keras.losses.SparseCategoricalCrossentropy
    distillation: Distillation | None = None

    def __call__(self, labels: Any, outputs: Any, soft: Any) -> Any:
        """Mean loss of labels (N,), outputs (N, classes) and logits to distil (N, classes), or (N, 0) without."""
        loss = self.hard(labels, outputs)
        if self.distillation is None:
            return loss
        logits = outputs if self.hard.from_logits else tf.math.log(outputs + keras.config.epsilon())
        weight = self.distillation.weight
        return (1 - weight) * loss + weight * self.distillation.loss(logits, soft)
