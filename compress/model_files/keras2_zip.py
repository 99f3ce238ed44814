"""Models from the ``.keras`` files of Keras 2, as TensorFlow 2.12 to 2.15 wrote them."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from re import sub
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelError
from compress.model_files.keras2_config import INNER_LAYERS
from compress.model_files.keras2_graph import LegacyModel, build_legacy

_METADATA, _CONFIG, _WEIGHTS = "metadata.json", "config.json", "model.weights.h5"


def is_legacy_zip(path: Path) -> bool:
    """Whether a file is a ``.keras`` file that Keras 2 wrote."""
    if not is_zipfile(path):
        return False
    try:
        with ZipFile(path) as file:
            return str(json.loads(file.read(_METADATA)).get("keras_version", "")).startswith("2.")
    except (BadZipFile, KeyError, ValueError, AttributeError):
        return False  # Keras 3 says what is wrong with it.


def load_legacy_zip(path: Path) -> Any:
    """A functional Keras 3 model from a ``.keras`` file of Keras 2.

    The file names no weights: a layer's are found by its class and its place among those of that class, and set in the
    order in which Keras 2 made them, every shape checked.

    Raises:
        ModelError: a layer that cannot be made, or weights that do not fit.
    """
    with ZipFile(path) as file, TemporaryDirectory() as folder:
        document = json.loads(file.read(_CONFIG))
        legacy = build_legacy(document["class_name"], document["config"])
        with h5py.File(file.extract(_WEIGHTS, folder), "r") as weights:
            _set_weights(legacy, weights)
    return legacy.finalized()


def _set_weights(legacy: LegacyModel, group: Any) -> None:
    """Set the weights of a model that is stored in a group of the file."""
    for layer, place in zip(legacy.layers.items(), _places(legacy.classes), strict=True):
        name, made = layer
        stored = group.get(f"layers/{place}")
        if isinstance(made, LegacyModel):
            if stored is None:
                raise ModelError(f"it holds no weights of model '{name}'; save the model again")
            _set_weights(made, stored)
        elif isinstance(made, keras.Layer):
            _assign(name, made, stored)


def _places(classes: Sequence[str]) -> Iterator[str]:
    """Where Keras 2 puts layers of these classes: ``conv2d``, ``conv2d_1``, ..."""
    seen: Counter[str] = Counter()
    for kind in classes:
        snake = sub("([a-z])([A-Z])", r"\1_\2", sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()
        yield f"{snake}_{seen[snake]}" if seen[snake] else snake
        seen[snake] += 1


def _assign(name: str, layer: Any, stored: Any) -> None:
    weights = [*layer.trainable_weights, *layer.non_trainable_weights]
    values = [] if stored is None else list(_values(stored, INNER_LAYERS.get(type(layer).__name__, ("",))))
    has, given = [tuple(weight.shape) for weight in weights], [value.shape for value in values]
    if has != given:
        raise ModelError(
            f"layer '{name}' ({type(layer).__name__}): expected weights of the shapes {has}, received {given}; save "
            "the model as .h5 or again with Keras 3"
        )
    for weight, value in zip(weights, values, strict=True):
        weight.assign(value)


def _values(stored: Any, places: Sequence[str]) -> Iterator[NDArray[Any]]:
    for place in places:
        group = stored.get(f"{place}/vars" if place else "vars")
        for number in range(0 if group is None else len(group)):
            yield np.asarray(group[str(number)])
