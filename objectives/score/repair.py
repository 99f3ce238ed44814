"""The repair of one candidate: steps of training, recalibrated statistics, and outputs."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from compress.errors import DivergenceError, ModelError
from objectives.network.distillation import SoftLabels
from objectives.network.network import Network
from zoo.data.batches import Indices, evaluation_batches, gather, whole_batches
from zoo.data.dataset import ImageDataset, Split


def batches_from(count: int, batch_size: int, seed: int, start: int) -> Iterator[Indices]:
    """Whole batches of indices, epoch after epoch without end, from batch number `start` on.

    The order of an epoch follows from the seed and its number, so that a later start continues the same sequence.
    """
    epoch, skipped = divmod(start, max(1, count // min(batch_size, count)))
    while True:
        batches = list(whole_batches(count, batch_size, np.random.default_rng((seed, epoch))))
        yield from batches[skipped:]
        epoch, skipped = epoch + 1, 0


def recalibration_batches(count: int, batch_size: int, images: int, seed: int) -> Iterator[Indices]:
    """Batches of indices of at most ``images`` of ``count`` images, for estimating statistics."""
    size = min(batch_size, images, count)
    return islice(whole_batches(count, size, np.random.default_rng(seed)), images // size)


Rate = Callable[[int], float]
"""Learning rate by the number of steps taken before."""


class Repair:
    """A candidate that is loaded into a network, which holds one at a time.

    Args:
        network: holds the candidate's weights.
        data: trains and recalibrates on its train split.
        batch_size: images per batch.
        seed: of the images drawn and of the order of the batches.
        soft: the original model's outputs; None without distillation.

    Attributes:
        steps: of training taken so far.
    """

    def __init__(
        self,
        network: Network,
        data: ImageDataset,
        batch_size: int,
        seed: int,
        soft: SoftLabels | None = None,
    ) -> None:
        self._network, self._data, self._soft = network, data, soft
        self._batch_size, self._seed = batch_size, seed
        self.steps = 0

    @property
    def loss(self) -> Any:
        """The task's loss that fits the model's outputs."""
        return self._network.loss.hard

    def advance(self, steps: int, rate: Rate) -> list[float]:
        """Train for ``steps`` more steps; returns the loss before each of them.

        Raises:
            ModelError: the model has no trainable weights.
            DivergenceError: a loss is not finite; names the step and the learning rate.
        """
        if steps == 0:
            return []
        if not self._network.trains:
            raise ModelError(
                "fine-tuning: expected trainable weights, received a frozen model; set model.trainable = True"
            )
        train = self._data.train
        batches = islice(batches_from(len(train), self._batch_size, self._seed, self.steps), steps)
        rates = [rate(self.steps + step) for step in range(steps)]
        # Losses stay tensors until the end: reading each one would make an accelerator wait at every step.
        losses = [float(loss) for loss in [self._step(*pair) for pair in zip(batches, rates, strict=True)]]
        _check_finite(losses, self.steps, rates)
        self.steps += steps
        return losses

    def _step(self, indices: NDArray[np.int64], rate: float) -> Any:
        images, targets = gather(self._data.train, indices, self._data.normalization)
        soft = np.empty((len(targets), 0), np.float32) if self._soft is None else self._soft.of(indices)
        return self._network.step(*map(tf.convert_to_tensor, (images, targets, soft, np.float32(rate))))

    def recalibrate(self, images: int) -> int:
        """Estimate the statistics of batch normalization anew from ``images`` training images, in whole batches.

        They become the plain mean over batches of each batch's mean and variance (Yu & Huang 2019, "Universally
        Slimmable Networks and Improved Training Techniques", exact averages of post-statistics).

        Returns:
            The images used; 0 for a model without such layers.
        """
        if not self._network.normalizes:
            return 0
        train, used = self._data.train, 0
        batches = recalibration_batches(len(train), self._batch_size, images, self._seed)
        for number, indices in enumerate(batches):
            normalized, _ = gather(train, indices, self._data.normalization)
            self._network.observe(tf.convert_to_tensor(normalized), 1 / (number + 1))
            used += len(indices)
        return used

    def outputs(self, split: Split) -> NDArray[np.float32]:
        """The model's outputs (N, ...) for every image of a split."""
        return np.concatenate([outputs for _, outputs in self.answers(split)])

    def answers(self, split: Split) -> Iterator[tuple[NDArray[Any], NDArray[np.float32]]]:
        """Targets and the model's outputs, batch by batch of a split."""
        for images, targets in evaluation_batches(split, self._batch_size, self._data.normalization):
            yield targets, self._network.infer(tf.convert_to_tensor(images)).numpy()[: len(targets)]

    def write_to(self, model: keras.Model) -> None:
        """Copy the candidate's current weights into its model."""
        self._network.unload(model)


def _check_finite(losses: list[float], before: int, rates: list[float]) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if bad.size:
        first = int(bad[0])
        raise DivergenceError(
            f"fine-tuning: expected finite losses, received {losses[first]} at step {before + first + 1} of "
            f"{before + len(losses)} with learning rate {rates[first]:g}; lower the learning rate"
        )
