"""Statistics of batch normalization, estimated anew before every validation: the moving ones lag behind the weights."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.batches import gather, whole_batches
from zoo.data.dataset import ImageDataset, Images
from zoo.kernels.replacement import replaced

RECALIBRATION_IMAGES = 1024

Records = list[Any]
"""Mean and variance of a batch at each call of a layer, tensors (2, channels)."""


class Recalibration(keras.callbacks.Callback):  # type: ignore[misc]
    """Estimates a model's statistics of batch normalization anew before every validation of its training.

    With Keras's default momentum of 0.99 the moving statistics still hold 37 % of those of 100 steps before, so that
    weights which have just been changed much would be judged, and kept, with those of other weights.

    Args:
        model: the model whose weights are trained.
        dataset: its train split gives at most 1,024 images, always the same, not augmented, as for candidates.
        batch_size: images per batch, as in training.
        seed: of the images drawn.
    """

    def __init__(self, model: keras.Model, dataset: ImageDataset, batch_size: int, seed: int) -> None:
        super().__init__()
        self._statistics, self._dataset = BatchStatistics(model), dataset
        size = min(batch_size, RECALIBRATION_IMAGES, len(dataset.train))
        batches = whole_batches(len(dataset.train), size, np.random.default_rng(seed))
        self._batches = list(islice(batches, RECALIBRATION_IMAGES // size))

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Estimate the statistics of the weights as they stand."""
        self._statistics.estimate(self._images())

    def _images(self) -> Iterator[Images]:
        for indices in self._batches:
            yield gather(self._dataset.train, indices, self._dataset.normalization)[0]


class BatchStatistics:
    """What a model's batch normalization estimates from training batches, traced once.

    Args:
        model: computes as in training, dropout included.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._layers = [layer for layer in model._flatten_layers() if _estimates(layer)]
        self._observe = tf.function(self._of_batch, autograph=False, reduce_retracing=True)

    def estimate(self, batches: Iterable[Images]) -> None:
        """Set the moving statistics to those of training batches, and change nothing else.

        They become the plain mean over batches, and over the calls of a shared layer, of each batch's mean and biased
        variance (Yu & Huang 2019, "Universally Slimmable Networks and Improved Training Techniques", exact averages of
        post-statistics). Frozen layers keep theirs: ``trainable=False``, or a momentum of 1. States of random layers
        are put back.

        Args:
            batches: normalized images, (N, H, W, C) each.
        """
        if not self._layers:
            return
        before = [(variable, np.array(variable.numpy())) for variable in self._model.non_trainable_variables]
        observed = [self._observe(images) for images in batches]
        for variable, value in before:
            variable.assign(value)
        for layer, *records in zip(self._layers, *observed, strict=True):
            calls = [np.asarray(call, np.float64) for of_batch in records for call in of_batch]
            if calls:
                mean, variance = np.mean(calls, axis=0)
                layer.moving_mean.assign(mean)
                layer.moving_variance.assign(variance)

    def _of_batch(self, images: Any) -> list[Records]:
        """Of every layer, at each of its calls."""
        with _recorded(self._layers) as records:
            self._model(images, training=True)
        return records


def _estimates(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and bool(layer.trainable) and layer.momentum < 1


@contextmanager
def _recorded(layers: list[Any]) -> Iterator[list[Records]]:
    """Let layers take the statistics of one batch for their moving ones, and record them at every call."""
    records: list[Records] = [[] for _ in layers]
    momenta = [layer.momentum for layer in layers]
    with ExitStack() as calls:
        for layer, recorded in zip(layers, records, strict=True):
            layer.momentum = 0.0
            calls.enter_context(replaced(layer, "call", partial(_record, layer, recorded, layer.call)))
        try:
            yield records
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum


def _record(
    layer: Any,
    records: Records,
    call: Callable[..., Any],
    inputs: Any,
    training: bool | None = None,
    mask: Any = None,
) -> Any:
    outputs = call(inputs, training=training, mask=mask)
    if training:
        records.append(tf.stack([layer.moving_mean.value, layer.moving_variance.value]))
    return outputs
