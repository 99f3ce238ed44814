"""Knowledge distillation: the original model's outputs as further labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
