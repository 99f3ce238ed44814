"""Checks that TensorFlow computes correctly on this machine, against NumPy and against built models."""

from typing import Any

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.network.distillation import TrainingLoss
from objectives.network.network import Network
from objectives.network.precision import Precision
from objectives.network.update_rule import update_rule
from search.pipeline.machine.check import Check
from zoo.tasks.kinds.classification import Classification
from zoo.training.training import SGD

_TOLERANCE = 1e-2
"""Largest relative error; GPUs may multiply float32 with ten bits of precision (TF32)."""

_SHAPE = (8, 8, 4)


def convolution() -> Check:
    """Compare a convolution by TensorFlow with NumPy's."""
    images, kernel = _images(), _random((3, 3, _SHAPE[-1], 8), seed=1)
    computed = keras.ops.conv(images, kernel, padding="same", data_format="channels_last")
    return _compared("convolution", "one of TensorFlow's is NumPy's", computed, _convolved(images, kernel))


def compressed_layer() -> Check:
    """Compare a pruned and a decomposed convolution by TensorFlow with NumPy's."""
    model = apply_parameters(_model(), CompressionParameters({"first": 0.5}, {"second": (3, 4)}))
    expected = images = _images()
    for layer in (layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)):
        expected = _convolved(expected, np.asarray(layer.kernel))
        expected = expected + (np.asarray(layer.bias) if layer.use_bias else 0)
        expected = np.maximum(expected, 0) if layer.activation is keras.activations.relu else expected
    return _compared(
        "compressed layer", "one pruned and one decomposed are NumPy's", model(images, training=False), expected
    )


def shared_network() -> Check:
    """Compare a candidate in the network that all candidates share with the same candidate as a built model."""
    original = _model(classes=3)
    candidate = apply_parameters(original, CompressionParameters({"first": 0.5}, {}))
    task = Classification(3)
    network = Network(original, TrainingLoss(task.loss(original), task), update_rule(SGD), Precision())
    network.load(candidate, seed=0)
    images = _images()
    expected = np.asarray(candidate(images, training=False))
    return _compared("shared network", "a candidate in it is the one that is built", network.infer(images), expected)


def _model(classes: int = 0) -> Any:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(_SHAPE)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(inputs)
    x = keras.layers.Conv2D(8, 3, padding="same", name="second")(x)
    if classes:
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(keras.layers.BatchNormalization()(x)))
        x = keras.layers.Dense(classes, activation="softmax")(x)
    return keras.Model(inputs, x)


def _images() -> Any:
    return _random((4, *_SHAPE), seed=0)


def _random(shape: tuple[int, ...], seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def _convolved(images: Any, kernel: Any) -> Any:
    """Images (N, H, W, C) by a kernel of odd size (h, w, C, D), padded to the same size, without a stride."""
    rows, columns = kernel.shape[:2]
    padded = np.pad(images, ((0, 0), (rows // 2,) * 2, (columns // 2,) * 2, (0, 0)))
    windows = sliding_window_view(padded, (rows, columns), axis=(1, 2))
    return np.einsum("nxycij,ijcd->nxyd", windows, kernel)


def _compared(name: str, line: str, computed: Any, expected: Any) -> Check:
    error = float(np.max(np.abs(np.asarray(computed) - expected)) / np.max(np.abs(expected)))
    if error <= _TOLERANCE:
        return Check(name, f"{line}, to {error:.0e}")
    return Check(
        name,
        f"expected that {line}, received values {error:.0e} apart",
        "do not trust results of this machine: try TF_ENABLE_ONEDNN_OPTS=0, CUDA_VISIBLE_DEVICES=-1, another driver or "
        "another version of TensorFlow, until this check is ok",
    )
