"""Top-1 accuracy, cross-entropy, and any metric of Keras, of a model on a split."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.special import softmax

from objectives.accuracy.metric import ACCURACY, Metric, Score
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

    loss: the model's, by `loss_for`; it says whether outputs are logits. The metric gets probabilities.

    Raises:
        DivergenceError: a metric that is not finite though the loss is.
    """
    accuracy = float((outputs.argmax(axis=-1) == labels).mean())
    mean = float(np.mean(keras.ops.convert_to_numpy(loss.call(labels, outputs)), dtype=np.float64))
    if not (metric.is_extra and math.isfinite(mean)):
        return Score(accuracy, mean)
    probabilities = softmax(outputs, axis=-1) if loss.get_config()["from_logits"] else outputs
    return Score(accuracy, mean, metric(labels, probabilities))
