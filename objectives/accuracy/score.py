"""Top-1 accuracy, cross-entropy, and any metric of Keras, of a model on a split."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.special import softmax

from objectives.accuracy.metric import ACCURACY, LOSS, Metric
from zoo.data.batches import gather
from zoo.data.dataset import Normalization, Split
from zoo.training.loss import loss_for


def predict(model: keras.Model, split: Split, normalization: Normalization, batch_size: int) -> npt.NDArray[np.float32]:
    """Outputs (N, classes) of `model` in inference mode, in the order of the images, changing nothing in it.

    One traced function is called with batches of one size: the last is padded with repeated images, whose outputs are
    dropped.
    """
    count = len(split)
    size = min(batch_size, count)
    call = _traced(model, (size, *split.images.shape[1:]))
    outputs = np.empty((count, model.output_shape[-1]), np.float32)
    for start in range(0, count, size):
        indices = np.arange(start, min(start + size, count))
        x, _ = gather(split, np.resize(indices, size), normalization)
        outputs[indices] = call(x).numpy()[: len(indices)]
    return outputs


def _traced(model: keras.Model, batch_shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """A traced function from images to the model's outputs."""

    def call(x: Any) -> Any:
        return model(x, training=False)

    signature = (tf.TensorSpec(batch_shape, tf.float32),)
    traced: Callable[[Any], Any] = tf.function(call, input_signature=signature, autograph=False)
    return traced


@dataclass(frozen=True)
class Score:
    """Figures of a classifier's outputs on the labelled images of a split.

    Attributes:
        accuracy: top-1, in [0, 1].
        loss: mean cross-entropy in nats; not finite where the outputs are not.
        value: of a metric that is neither of the two; None for these, and where the loss is not finite.
    """

    accuracy: float
    loss: float
    value: float | None = None

    def figures(self, metric: Metric) -> dict[str, float | None]:
        """Accuracy, loss and, where it is neither, the metric, by name."""
        extra = {metric.name: self.value} if metric.is_extra else {}
        return {ACCURACY.name: self.accuracy, LOSS.name: self.loss, **extra}

    def figure(self, metric: Metric) -> float:
        """The figure that a metric ranks by; NaN where it was not measured."""
        figure = self.figures(metric)[metric.name]
        return math.nan if figure is None else figure

    def objective(self, metric: Metric) -> float:
        """What a study that ranks by a metric maximizes; minus infinity where it was not measured."""
        figure = self.figures(metric)[metric.name]
        if figure is None:
            return -math.inf
        return figure if metric.direction == "maximize" else -figure

    def text(self, metric: Metric) -> str:
        """All figures in one line: ``accuracy 0.9000, loss 0.3000``, and the metric where it is neither."""
        return ", ".join(f"{name} {figure:.4f}" for name, figure in self.figures(metric).items())


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
