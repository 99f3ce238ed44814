"""Outputs of a model on every image of a split."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from zoo.data.batches import gather
from zoo.data.dataset import Normalization, Split


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
