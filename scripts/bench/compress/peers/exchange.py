"""Weights of the zoo's networks as a state dict of PyTorch and back, and Keras models of any widths; without PyTorch.

Layers of the zoo have PyTorch's names, so `layer1.0.conv1` of Keras is `layer1.0.conv1.weight` of a state dict.
"""

from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

State = Mapping[str, NDArray[np.float32]]
"""Weights by the keys of a state dict, in PyTorch's order of axes."""
LayerWeights = Mapping[str, Mapping[str, NDArray[np.float32]]]
"""Weights by layer and attribute, in Keras's order of axes."""

_NORMALIZATION = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
_TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
_TO_KERAS = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}


def state_of(model: keras.Model) -> dict[str, NDArray[np.float32]]:
    """The weights of a model's convolutions, normalizations and dense layers, as a state dict of arrays."""
    state = {}
    for layer in model.layers:
        for weight in layer.weights:
            name = _NORMALIZATION.get(weight.name, "bias" if weight.name == "bias" else "weight")
            value = keras.ops.convert_to_numpy(weight)
            state[f"{layer.name}.{name}"] = np.ascontiguousarray(value.transpose(_TO_TORCH[value.ndim]))
    return state


def weights_of_state(state: State) -> LayerWeights:
    """The weights of a state dict by layer and attribute of Keras; what Keras does not have is left out."""
    weights: dict[str, dict[str, NDArray[np.float32]]] = {}
    for key, value in state.items():
        layer, _, name = key.rpartition(".")
        normalizes = f"{layer}.running_mean" in state
        attribute = _attribute(name, normalizes)
        if attribute is not None:
            weights.setdefault(layer, {})[attribute] = np.asarray(value).transpose(_TO_KERAS[value.ndim])
    return weights


def _attribute(name: str, normalizes: bool) -> str | None:
    if normalizes:
        return next((keras_name for keras_name, torch_name in _NORMALIZATION.items() if torch_name == name), None)
    return {"weight": "kernel", "bias": "bias"}[name]


def widths_of(state: State) -> dict[str, int]:
    """Filters of every convolution."""
    return {key.removesuffix(".weight"): len(value) for key, value in state.items() if value.ndim == 4}


def resized(model: keras.Model, weights: LayerWeights) -> keras.Model:
    """A model of another model's layers, with the filters and the values of these weights.

    Raises:
        ValueError: weights that do not fit each other.
    """

    def with_filters(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if "filters" in config:
            config["filters"] = int(weights[layer.name]["kernel"].shape[-1])
        return type(layer).from_config(config)

    made = keras.models.clone_model(model, clone_function=with_filters)
    for name, values in weights.items():
        for attribute, value in values.items():
            getattr(made.get_layer(name), attribute).assign(value)
    return made


def logits(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the last layer of a model, a dense one, gives for images (N, H, W, C), before its softmax: (N, classes)."""
    last = model.layers[-1]
    features = keras.Model(model.inputs[0], last.input)(images, training=False)
    return np.asarray(keras.ops.convert_to_numpy(features @ last.kernel + last.bias))


TOLERANCE = 1e-3


def check_equal(logits: NDArray[np.float32], others: NDArray[np.float32], what: str) -> float:
    """The largest difference of two models' logits, relative to the largest logit where that is above 1.

    Raises:
        SystemExit: it is not below `TOLERANCE`; names what was converted.
    """
    difference = float(np.abs(logits - others).max() / max(1.0, np.abs(logits).max()))
    if not difference < TOLERANCE:
        raise SystemExit(f"{what}: expected logits that differ by less than {TOLERANCE}, received {difference:g}")
    return difference
