"""Top-1 accuracy and cross-entropy of a model on a split."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.batches import gather
from zoo.data.dataset import Normalization, Split
from zoo.loss import loss_for


@dataclass(frozen=True)
class Score:
    """Top-1 accuracy in [0, 1] and mean cross-entropy in nats; the loss is not finite where the outputs are not."""

    accuracy: float
    loss: float


def score(model: keras.Model, split: Split, normalization: Normalization, batch_size: int) -> Score:
    """Score `model` on every image of `split` in inference mode, changing nothing in it.

    One traced function is called with batches of one size: the last is padded with repeated images, which are not
    counted.
    """
    count = len(split)
    size = min(batch_size, count)
    judge = _traced_judge(model, (size, *split.images.shape[1:]))
    correct = np.empty(count, bool)
    losses = np.empty(count, np.float64)
    for start in range(0, count, size):
        indices = np.arange(start, min(start + size, count))
        x, y = gather(split, np.resize(indices, size), normalization)
        hits, values = judge(x, y)
        correct[indices] = hits.numpy()[: len(indices)]
        losses[indices] = values.numpy()[: len(indices)]
    return Score(accuracy=float(correct.mean()), loss=float(losses.mean()))


def _traced_judge(model: keras.Model, batch_shape: tuple[int, ...]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """A traced function from images and labels to one hit (bool) and one loss per image."""
    loss = loss_for(model)

    def judge(x: Any, y: Any) -> tuple[Any, Any]:
        outputs = model(x, training=False)
        hits = tf.equal(tf.argmax(outputs, axis=-1, output_type=tf.int64), y)
        return hits, loss.call(y, outputs)

    signature = (tf.TensorSpec(batch_shape, tf.float32), tf.TensorSpec(batch_shape[:1], tf.int64))
    traced: Callable[[Any, Any], tuple[Any, Any]] = tf.function(judge, input_signature=signature, autograph=False)
    return traced
