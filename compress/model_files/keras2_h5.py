"""Models from the HDF5 files of Keras 2: the format of the TensorFlow 2.3 to 2.15 era."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelError
from compress.model_files.keras2_graph import LegacyModel, build_legacy

_RENAMED_WEIGHTS = {"depthwise_kernel": "kernel"}


def is_legacy_h5(path: Path) -> bool:
    """Whether a file is HDF5 and was not written by Keras 3."""
    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return not _text(file.attrs.get("keras_version", "")).startswith("3.")


def load_legacy_h5(path: Path) -> Any:
    """A functional Keras 3 model from a file of Keras 2; weights are matched by the names of their layers.

    Raises:
        ModelError: the file holds no architecture, a layer that cannot be made, or weights that do not fit.
    """
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs or "model_weights" not in file:
            raise ModelError("it holds no architecture, only weights; save the whole model")
        document = json.loads(_text(file.attrs["model_config"]))
        legacy = build_legacy(document["class_name"], document["config"])
        _set_weights(legacy, _inside(file, "model_weights"))
    return legacy.finalized()


def assign(layer: str, weights: Sequence[Any], names: Sequence[str], values: Sequence[NDArray[Any]]) -> None:
    """Set the weights of a layer, in order, after a check of every name and shape.

    Raises:
        ModelError: other weights than the layer has.
    """
    has = [(_RENAMED_WEIGHTS.get(weight.name, weight.name), tuple(weight.shape)) for weight in weights]
    given = [(_RENAMED_WEIGHTS.get(name, name), tuple(value.shape)) for name, value in zip(names, values, strict=True)]
    if has != given:
        raise ModelError(f"layer '{layer}': expected the weights {has}, received {given}; save the model again")
    for weight, value in zip(weights, values, strict=True):
        weight.assign(value)


def _set_weights(legacy: LegacyModel, group: Any) -> None:
    unset = {name for name, layer in legacy.layers.items() if layer.trainable_weights or layer.non_trainable_weights}
    for layer in _names(group, "layer_names"):
        stored = _inside(group, layer)
        names = _names(stored, "weight_names")
        if not names:
            continue
        if layer not in unset:
            raise ModelError(f"it holds weights of '{layer}', which is no layer with weights; save the model again")
        made = legacy.layers[layer]
        values = [np.asarray(_inside(stored, name)) for name in names]
        short = [name.rsplit("/", 1)[-1].split(":")[0] for name in names]
        assign(layer, [*made.trainable_weights, *made.non_trainable_weights], short, values)
        unset.remove(layer)
    if unset:
        raise ModelError(f"it holds no weights of layer '{min(unset)}'; save the model again")


def _inside(group: Any, path: str) -> Any:
    """A member that is stored in this file: HDF5 can also point to other files."""
    item = group
    for name in path.split("/"):
        link = item.get(name, getlink=True)
        item = None if isinstance(link, h5py.ExternalLink) else item.get(name)
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            item = None
        if item is None:
            raise ModelError(f"it does not itself hold '{path}'; save the model again")
    return item


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names, which Keras splits over several attributes where it is long."""
    if attribute in group.attrs:
        return [_text(name) for name in group.attrs[attribute]]
    parts: list[str] = []
    while f"{attribute}{len(parts)}" in group.attrs:
        parts.append(f"{attribute}{len(parts)}")
    return [_text(name) for part in parts for name in group.attrs[part]]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
