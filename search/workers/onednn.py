"""Where TensorFlow's oneDNN kernels, twice as fast on a CPU, can be trusted."""

import os
from collections.abc import Mapping
from typing import Any

import keras

from compress.cloning.walk import as_functional, calls
from objectives.network.elastic_layers import takes_any_channels
from zoo.training.subsampling import is_strided_pointwise

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"

NOT_CHOSEN = "false"
"""The default that this package sets, which means 0; users write 0 or 1, which is left as it is."""

_WITHOUT_WEIGHTS = (
    *("InputLayer", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Add", "Concatenate", "Multiply"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "ZeroPadding2D"),
    *("Flatten", "Reshape", "Dropout", "Rescaling"),
)

_UNCHECKED = (keras.layers.LayerNormalization, keras.layers.GroupNormalization)
"""Layers with a stand-in for any number of channels whose oneDNN kernels were not compared with TensorFlow's own."""


def worker_environment(model: Any) -> Mapping[str, str]:
    """What workers that train compressed forms of this model get in their environment besides the driver's.

    oneDNN is on unless the user has chosen, where every layer is of a kind that it computes right, given that strided
    1x1 convolutions are trained as `zoo.subsampling` does.
    """
    chosen = os.environ.get(VARIABLE, NOT_CHOSEN) != NOT_CHOSEN
    return {} if chosen or not _is_safe(model) else {VARIABLE: "1"}


def _is_safe(model: Any) -> bool:
    return all(_computes_right(call.layer, call.inputs) for call in calls(as_functional(model)))


def _computes_right(layer: Any, inputs: Any) -> bool:
    if not isinstance(layer, keras.Layer):
        return False
    if isinstance(layer, keras.layers.Dense) and len(inputs[0].shape) > 2:
        # Products of matrices of rank 3 and more corrupt the memory (tensorflow/tensorflow#117700).
        return False
    if isinstance(layer, _UNCHECKED):
        return False
    return takes_any_channels(layer) or is_strided_pointwise(layer) or type(layer).__name__ in _WITHOUT_WEIGHTS
