"""Losses: the registry of them, and the one that fits a classifier's output."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import keras

from compress.errors import ModelError

MakeLoss = Callable[[], keras.losses.Loss]

_registered: Final[dict[str, tuple[str, MakeLoss]]] = {}
_FOLDER = "zoo.training.losses"


def loss(activation: str, words: str) -> Callable[[MakeLoss], MakeLoss]:
    """Register a function as what makes the loss of models that end in an activation.

    activation: its name in Keras, and words: what the outputs are, for messages.
    """

    def register(make: MakeLoss) -> MakeLoss:
        _registered[activation] = (words, make)
        return make

    return register


@cache
def _losses() -> Mapping[str, tuple[str, MakeLoss]]:
    """Words and loss by activation; every file in the folder ``losses`` is imported."""
    for module in pkgutil.iter_modules(importlib.import_module(_FOLDER).__path__):
        importlib.import_module(f"{_FOLDER}.{module.name}")
    return MappingProxyType(_registered)


def loss_for(model: keras.Model) -> keras.losses.Loss:
    """The registered loss of what the model's one output (N, classes) ends in: cross-entropy of softmax, or of logits.

    Raises ModelError for several outputs, or where no loss is registered for the last layer's activation.
    """
    if len(model.outputs) != 1:
        raise ModelError(f"expected a classifier with one output, received {len(model.outputs)} from {model.name!r}")
    last = _last_activation(model.outputs[0]._keras_history.operation)
    if last not in _losses():
        known = " or ".join(words for words, _ in _losses().values())
        raise ModelError(
            f"expected {known} at the output of {model.name!r}, received {last}; "
            "end the model in a Dense, Conv2D, Activation or Softmax layer"
        )
    return _losses()[last][1]()


def _last_activation(operation: Any) -> str:
    """Name of the function that the model ends in, or the class of a layer that has none to speak of."""
    if isinstance(operation, keras.Model) and operation.outputs:
        return _last_activation(operation.outputs[0]._keras_history.operation)
    kind = type(operation).__name__
    if kind in ("Softmax", "GlobalAveragePooling2D"):
        return "softmax" if kind == "Softmax" else "linear"
    activation = getattr(operation, "activation", kind)
    return str(getattr(activation, "__name__", activation))
