"""Which models TensorFlow's oneDNN kernels, about twice as fast on a CPU, compute correctly."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from search.environment import ONEDNN

OFF, ON = "false", "true"
"""Values that tuckprune sets, which TensorFlow reads as 0 and 1; a user's own 0 or 1 is left unchanged."""

_MODELS = ("Functional", "Sequential")
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")
_WITHOUT_TRAINED_WEIGHTS = (
    *("InputLayer", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Add", "Concatenate", "Multiply"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "ZeroPadding2D"),
    *("Flatten", "Reshape", "Dropout", "Rescaling", "Normalization"),
)

Entry = Mapping[str, Any]
"""A model or a layer as Keras serializes it, with ``class_name`` and ``config``; ``.keras`` files hold the model's."""


def is_chosen() -> bool:
    """Whether the user has turned oneDNN on or off by the environment."""
    return os.environ.get(ONEDNN, OFF) not in (OFF, ON)


def worker_environment(model: Entry) -> Mapping[str, str]:
    """Environment variables of workers that train candidates of this model, in addition to the driver's.

    oneDNN is on where it computes every layer correctly, unless the user has chosen; strided 1x1 convolutions, whose
    gradient it gets wrong, are trained as `zoo.kernels.replacement` does.
    """
    return {} if is_chosen() or untrusted(model) is not None else {ONEDNN: "1"}


def untrusted(model: Entry) -> str | None:
    """Name and type of the first layer that oneDNN is not known to compute correctly; None where all are known."""
    wrong = (layer for layer in _layers(model) if not _computes_right(layer))
    return next((f"'{layer['config'].get('name')}' ({layer['class_name']})" for layer in wrong), None)


def _layers(entry: Entry) -> Iterator[Entry]:
    """A layer, or those of a model and of the models in it."""
    if entry["class_name"] not in _MODELS or "layers" not in entry["config"]:
        yield entry
        return
    for layer in entry["config"]["layers"]:
        yield from _layers(layer)


def _computes_right(layer: Entry) -> bool:
    name, options = layer["class_name"], layer["config"]
    # Files of HDF5 name no module; a class of the user's own has its package in its name there.
    if layer.get("module", "keras.layers") != "keras.layers" or not isinstance(options.get("activation", ""), str):
        return False
    if name in _WITHOUT_TRAINED_WEIGHTS:
        return True
    if options.get("quantization_config") is not None or options.get("lora_rank") is not None:
        return False
    ranks = {len(shape) for shape in _input_shapes(layer)}
    if name in _CONVOLUTIONS:
        last: bool = options["data_format"] == "channels_last"
        return last and options.get("groups", 1) == 1
    if name == "BatchNormalization":
        return not options.get("renorm", False) and options["axis"] in (-1, *(rank - 1 for rank in ranks))
    # Products of matrices of rank 3 and more corrupt the memory (tensorflow/tensorflow#117700).
    return name == "Dense" and ranks == {2}


def _input_shapes(layer: Entry) -> Iterator[Sequence[int | None]]:
    """Input shapes of a layer that its file stores: the one it was built for, and those of its calls."""
    built = layer.get("build_config", {}).get("input_shape")
    if built is not None:
        yield built
    yield from _tensor_shapes(layer.get("inbound_nodes", []))


def _tensor_shapes(stored: Any) -> Iterator[Sequence[int | None]]:
    if isinstance(stored, Mapping) and stored.get("class_name") == "__keras_tensor__":
        yield stored["config"]["shape"]
    elif isinstance(stored, Mapping | list | tuple):
        for item in stored.values() if isinstance(stored, Mapping) else stored:
            yield from _tensor_shapes(item)
