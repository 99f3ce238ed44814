"""What losses and metrics of Keras make of all targets and outputs of a split, computed in parts."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from compress.errors import DivergenceError
from zoo.tasks.metric import Metric, metric_classes

Array = npt.NDArray[Any]


def mean_loss(loss: Any, targets: Array, outputs: Array) -> float:
    """The mean of a loss of Keras over images, or over the pixels that count, computed for some images at a time."""
    import keras

    per_call = max(1, _VALUES // max(1, outputs[0].size))
    total = count = 0.0
    for start in range(0, len(outputs), per_call):
        part = slice(start, start + per_call)
        values = loss.call(targets[part], outputs[part])
        # Losses that ignore a class leave zeros in its place, and mark the others so.
        counted = getattr(values, "_keras_mask", None)
        total += float(np.sum(keras.ops.convert_to_numpy(values), dtype=np.float64))
        count += float(np.size(values) if counted is None else np.sum(keras.ops.convert_to_numpy(counted)))
    return total / count if count else 0.0


_VALUES = 4_000_000
"""Values of outputs that a loss or a metric takes at once."""


def keras_value(metric: Any, targets: Array, outputs: Array) -> Array:
    """What an object of `keras.metrics` makes of targets and outputs, given to it in parts."""
    import keras

    per_call = max(1, _VALUES // max(1, outputs[0].size))
    for start in range(0, len(outputs), per_call):
        metric.update_state(targets[start : start + per_call], outputs[start : start + per_call])
    return np.asarray(keras.ops.convert_to_numpy(metric.result()))


def class_value(metric: Metric, targets: Array, outputs: Array) -> Array:
    """What a class of `keras.metrics` makes of them: of a metric that can be ranked by, a single number."""
    return keras_value(metric_classes()[metric.name](**metric.options), targets, outputs)


def finite_value(metric: Metric, targets: Array, outputs: Array) -> float:
    """The value of a class of `keras.metrics` on all images.

    Raises:
        DivergenceError: it is not finite.
    """
    value = float(class_value(metric, targets, outputs))
    if not math.isfinite(value):
        raise DivergenceError(
            f"metric {metric.name}: expected a finite number on {len(targets)} images, received {value}; "
            "choose another search.metric, or lower the learning rate"
        )
    return value
