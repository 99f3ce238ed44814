"""Where TensorFlow's oneDNN kernels, twice as fast on a CPU, can be trusted."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from search.environment import ONEDNN

OFF, ON = "false", "true"
"""What this package sets, which TensorFlow takes for 0 and 1; users write 0 or 1, which is left as it is."""

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
    """Whether the user has said, by the environment, whether oneDNN is used."""
    return os.environ.get(ONEDNN, OFF) not in (OFF, ON)


def worker_environment(model: Entry) -> Mapping[str, str]:
    """What workers that train compressed forms of this model get in their environment besides the driver's.

    oneDNN is on unless the user has chosen, where every layer is of a kind that it computes right, given that strided
    1x1 convolutions are trained as `zoo.kernels.replacement` does.
    """
    return {} if is_chosen() or untrusted(model) is not None else {ONEDNN: "1"}


def untrusted(model: Entry) -> str | None:
    """The first layer of a model of which it is not known that oneDNN computes it right; None where there is none."""
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
    """Of what a layer was built for, and of what it reads in each of its calls, as far as it is stored."""
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
