"""What losses and metrics of Keras make of targets and outputs, which come in parts."""

from typing import Any

import numpy as np
import numpy.typing as npt

from zoo.tasks.metric import Metric, metric_classes

Array = npt.NDArray[Any]

_VALUES = 4_000_000
"""Values of outputs that a loss or a metric takes at once."""


def images_at_once(outputs: Array) -> int:
    """How many images of outputs like these (N, ...) a loss or a metric takes at once."""
    return max(1, _VALUES // max(1, int(outputs[0].size)))


class MeanLoss:
    """The mean of a loss of Keras over all images that were added, or over their pixels that count.

    Args:
        loss: of Keras.
    """

    def __init__(self, loss: Any) -> None:
        self._loss = loss
        self._total = self._count = 0.0

    def add(self, targets: Array, outputs: Array) -> None:
        """Take in targets and outputs of some images, (N, ...) each."""
        import keras

        values = self._loss.call(targets, outputs)
        # Losses that ignore a class leave zeros in its place, and mark the others so.
        counted = getattr(values, "_keras_mask", None)
        self._total += float(np.sum(keras.ops.convert_to_numpy(values), dtype=np.float64))
        self._count += float(np.size(values) if counted is None else np.sum(keras.ops.convert_to_numpy(counted)))

    @property
    def mean(self) -> float:
        """Of all that was added; 0 where nothing counts."""
        return self._total / self._count if self._count else 0.0


def class_value(metric: Metric, targets: Array, outputs: Array) -> Array:
    """What a class of `keras.metrics` makes of them: of a metric that can be ranked by, a single number."""
    import keras

    made = metric_classes()[metric.name](**metric.options)
    made.update_state(targets, outputs)
    return np.asarray(keras.ops.convert_to_numpy(made.result()))
