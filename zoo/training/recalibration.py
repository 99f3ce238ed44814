"""Statistics of batch normalization, estimated anew before every validation: the moving ones lag behind the weights."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.data.batches import gather, whole_batches
from zoo.data.dataset import ImageDataset, Images

RECALIBRATION_IMAGES = 1024

Records = list[NDArray[np.float64]]
"""Mean and variance of each batch that a layer has normalized, (2, channels) each."""


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
        self._recalibrated, self._dataset = model, dataset
        size = min(batch_size, RECALIBRATION_IMAGES, len(dataset.train))
        batches = whole_batches(len(dataset.train), size, np.random.default_rng(seed))
        self._batches = list(islice(batches, RECALIBRATION_IMAGES // size))

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Estimate the statistics of the weights as they stand."""
        recalibrate(self._recalibrated, self._images())

    def _images(self) -> Iterator[Images]:
        for indices in self._batches:
            yield gather(self._dataset.train, indices, self._dataset.normalization)[0]


def recalibrate(model: keras.Model, batches: Iterable[Images]) -> None:
    """Set the moving statistics of a model's batch normalization to those of training batches, and change nothing else.

    They become the plain mean over batches, and over the calls of a shared layer, of each batch's mean and biased
    variance (Yu & Huang 2019, "Universally Slimmable Networks and Improved Training Techniques", exact averages of
    post-statistics). Frozen layers keep theirs: ``trainable=False``, or a momentum of 1.

    Args:
        model: computes as in training, dropout included; its random states are put back.
        batches: normalized images, (N, H, W, C) each.
    """
    layers = [layer for layer in model._flatten_layers() if _estimates(layer)]
    if not layers:
        return
    before = [(variable, np.array(variable.numpy())) for variable in model.non_trainable_variables]
    with _recorded(layers) as records:
        for images in batches:
            model(images, training=True)
    for variable, value in before:
        variable.assign(value)
    for layer, recorded in zip(layers, records, strict=True):
        if recorded:
            mean, variance = np.mean(recorded, axis=0)
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)


def _estimates(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and bool(layer.trainable) and layer.momentum < 1


@contextmanager
def _recorded(layers: list[Any]) -> Iterator[list[Records]]:
    """Let layers take the statistics of one batch for their moving ones, and record them at every call."""
    records: list[Records] = [[] for _ in layers]
    momenta = [layer.momentum for layer in layers]
    for layer, recorded in zip(layers, records, strict=True):
        layer.momentum = 0.0
        layer.call = partial(_record, layer, recorded)
    try:
        yield records
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            del layer.call


def _record(layer: Any, records: Records, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    outputs = type(layer).call(layer, inputs, training=training, mask=mask)
    if training:
        statistics = [layer.moving_mean.numpy(), layer.moving_variance.numpy()]
        records.append(np.array(statistics, np.float64))
    return outputs
