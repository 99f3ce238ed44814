"""Batch normalization statistics re-estimated for a model whose weights have changed."""

from collections.abc import Iterator
from itertools import islice

import keras
import numpy as np

from objectives.whole_batches import whole_batches
from zoo.data.batches import gather
from zoo.data.dataset import Normalization, Split


def recalibrate(
    model: keras.Model, split: Split, normalization: Normalization, *, images: int, batch_size: int, seed: int
) -> int:
    """Re-estimate the moving statistics of `model`'s batch normalization layers, in place, from training images.

    The statistics become the plain mean over batches of each batch's mean and variance (Yu & Huang 2019, "Universally
    Slimmable Networks and Improved Training Techniques", exact averages of post-statistics). Layers with
    `trainable=False` are left alone, as are all weights and every layer's own momentum.

    Args:
        model: a built classifier of images (N, H, W, C).
        split: the images to draw from, without replacement.
        normalization: what the model expects to be done to the images.
        images: how many images to use; only whole batches of them, and never more than the split has.
        batch_size: images per batch.
        seed: of the draw.

    Returns:
        The number of layers recalibrated; 0 (and no pass over the images) for a model without any.
    """
    layers = list(_batch_normalizations(model))
    if not layers:
        return 0
    size = min(batch_size, images, len(split))
    batches = islice(whole_batches(len(split), size, np.random.default_rng(seed)), images // size)
    momenta = [layer.momentum for layer in layers]
    try:
        for batch, indices in enumerate(batches):
            for layer in layers:
                layer.momentum = batch / (batch + 1)
            model(gather(split, indices, normalization)[0], training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    return len(layers)


def _batch_normalizations(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _batch_normalizations(layer)
        elif isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            yield layer
