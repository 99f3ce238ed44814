"""A stated number of SGD steps on a model, without compile() and fit()."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from compress.errors import DivergenceError, ModelError
from objectives.whole_batches import Indices, whole_batches
from zoo.data.batches import gather
from zoo.data.dataset import Normalization, Split
from zoo.loss import loss_for


@dataclass(frozen=True)
class SgdSettings:
    """How to fine-tune: images per batch, constant learning rate, momentum, and the seed of the batches' order."""

    batch_size: int
    learning_rate: float
    momentum: float
    seed: int


def fine_tune(
    model: keras.Model, split: Split, normalization: Normalization, settings: SgdSettings, steps: int
) -> list[float]:
    """Train `model` in place for exactly `steps` SGD steps on batches of `split`; return the loss before each step.

    The loss is the cross-entropy plus the model's own losses (regularizers). Every batch has the same size (an epoch's
    incomplete last batch is dropped), so that the step is traced once.

    Raises:
        ModelError: if the model has no trainable weights.
        DivergenceError: if a loss is not finite, naming the step and the learning rate.
    """
    if steps == 0:
        return []
    if not model.trainable_variables:
        raise ModelError("fine-tuning: expected trainable weights, received a frozen model; set model.trainable = True")
    batches = _endless_batches(len(split), settings)
    step = _traced_step(model, (None, *split.images.shape[1:]), settings)
    # Losses stay tensors until the end: reading each one would make an accelerator wait at every step.
    losses = [float(loss) for loss in [step(*gather(split, next(batches), normalization)) for _ in range(steps)]]
    _check_finite(losses, settings.learning_rate)
    return losses


def _endless_batches(count: int, settings: SgdSettings) -> Iterator[Indices]:
    rng = np.random.default_rng(settings.seed)
    while True:
        yield from whole_batches(count, settings.batch_size, rng)


def _traced_step(
    model: keras.Model, batch_shape: tuple[int | None, ...], settings: SgdSettings
) -> Callable[[Any, Any], Any]:
    """A traced function that takes images and labels, applies one update, and returns the loss before it."""
    loss = loss_for(model)
    variables = model.trainable_variables
    optimizer = keras.optimizers.SGD(settings.learning_rate, momentum=settings.momentum)
    optimizer.build(variables)

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            total = tf.add_n([loss(y, model(x, training=True)), *model.losses])
        optimizer.apply(tape.gradient(total, variables), variables)
        return total

    signature = (tf.TensorSpec(batch_shape, tf.float32), tf.TensorSpec(batch_shape[:1], tf.int64))
    traced: Callable[[Any, Any], Any] = tf.function(step, input_signature=signature, autograph=False)
    return traced


def _check_finite(losses: list[float], learning_rate: float) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if bad.size:
        raise DivergenceError(
            f"fine-tuning: expected finite losses, received {losses[bad[0]]} at step {bad[0] + 1} of {len(losses)} with"
            f" learning rate {learning_rate:g}; lower the learning rate"
        )
