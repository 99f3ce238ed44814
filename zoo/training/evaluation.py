"""The figures of a model on a split: all metrics of the task, and any of Keras."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from compress.errors import DivergenceError
from zoo.data.batches import evaluated_at_once, evaluation_batches
from zoo.data.dataset import Data, ImageDataset, Normalization, Split
from zoo.tasks.figures.scoring import Scoring
from zoo.tasks.metric import Metric, Score
from zoo.tasks.own_task import OwnTask, SplitName

_BATCH = 512


def predict(model: keras.Model, split: Split, normalization: Normalization, batch_size: int) -> npt.NDArray[np.float32]:
    """Outputs (N, ...) of `model` in inference mode, in the order of the images, changing nothing in it.

    Large images are given in smaller batches.
    """
    return np.concatenate([outputs for _, outputs in _predicted(model, split, normalization, batch_size)])


def _predicted(
    model: keras.Model, split: Split, normalization: Normalization, batch_size: int
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.float32]]]:
    """Targets and outputs of one batch after the other.

    One traced function is called with batches of one size. A single batch is given to the model itself: tracing takes
    longer than what it saves.
    """
    size = evaluated_at_once(split, batch_size)
    call = _traced(model, (size, *split.images.shape[1:])) if size < len(split) else partial(model, training=False)
    for images, targets in evaluation_batches(split, batch_size, normalization):
        yield targets, np.asarray(call(images).numpy()[: len(targets)], np.float32)


def _traced(model: keras.Model, batch_shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """A traced function from images to the model's outputs."""

    def call(x: Any) -> Any:
        return model(x, training=False)

    signature = (tf.TensorSpec(batch_shape, tf.float32),)
    traced: Callable[[Any], Any] = tf.function(call, input_signature=signature, autograph=False)
    return traced


def evaluate(
    model: keras.Model, data: ImageDataset, split: Split, metric: Metric | None = None, batch_size: int = _BATCH
) -> Score:
    """The figures of a model on every image of a split, in inference mode; the model need not be compiled.

    data: says what the task is, and how images are normalized.
    metric: what is measured besides the task's metrics; None for nothing.

    Raises:
        ModelError: outputs that are not of the task.
        DivergenceError: an output, or the metric, that is not finite.
    """
    scoring, broken = Scoring(data.task, data.task.loss(model), metric), 0
    for targets, outputs in _predicted(model, split, data.normalization, batch_size):
        broken += int((~np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=-1)).sum())
        if not broken:
            scoring.add(targets, outputs)
    if broken:
        raise DivergenceError(
            f"expected finite outputs from {model.name!r}, received NaN or infinity for {broken} of {len(split)} "
            "images; train with a lower learning rate"
        )
    return scoring.result()


def score_on(
    part: SplitName, model: keras.Model, data: Data, metric: Metric | None = None, batch_size: int = _BATCH
) -> Score:
    """The figures of a model on the split of this name, by a task of the user's own if it is one.

    Raises:
        TaskError: the user's own evaluation fails.
        ModelError, DivergenceError: see `evaluate`.
    """
    if isinstance(data, OwnTask):
        return data.evaluate(model, part)
    split = {"train": data.train, "validation": data.validation, "test": data.test}[part]
    return evaluate(model, data, split, metric, batch_size)
