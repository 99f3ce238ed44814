"""Top-1 accuracy, cross-entropy, and any metric of Keras, of a model on a split."""

import math
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from objectives.metric import ACCURACY, Metric
from objectives.prediction import predict
from zoo.data.dataset import Normalization, Split
from zoo.loss import loss_for


@dataclass(frozen=True)
class Score:
    """What outputs are worth.

    Attributes:
        accuracy: top-1, in [0, 1].
        loss: mean cross-entropy in nats; not finite where the outputs are not.
        value: of a metric that is neither of the two; None for these, and where the loss is not finite.
    """

    accuracy: float
    loss: float
    value: float | None = None


def score(
    model: keras.Model, split: Split, normalization: Normalization, batch_size: int, metric: Metric = ACCURACY
) -> Score:
    """Score `model` on every image of `split` in inference mode, changing nothing in it.

    Raises:
        ModelError: an output that is no classifier's.
        DivergenceError: a metric that is not finite though the loss is.
    """
    loss = loss_for(model)
    return score_outputs(predict(model, split, normalization, batch_size), split.labels, loss, metric)


def score_outputs(
    outputs: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    loss: keras.losses.SparseCategoricalCrossentropy,
    metric: Metric = ACCURACY,
) -> Score:
    """Score outputs (N, classes) against labels (N,), whatever model they are of.

    loss: the model's, by `zoo.loss.loss_for`; it tells whether outputs are logits. The metric gets probabilities.

    Raises:
        DivergenceError: a metric that is not finite though the loss is.
    """
    accuracy = float((outputs.argmax(axis=-1) == labels).mean())
    mean = float(np.mean(keras.ops.convert_to_numpy(loss.call(labels, outputs)), dtype=np.float64))
    if not (metric.is_extra and math.isfinite(mean)):
        return Score(accuracy, mean)
    probabilities = softmax(outputs, axis=-1) if loss.get_config()["from_logits"] else outputs
    return Score(accuracy, mean, metric(labels, probabilities))
