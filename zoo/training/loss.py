"""Losses: the registry of those that fit a classifier's output, and any of Keras for labels of images."""

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import keras
import numpy as np

from compress.errors import ConfigError, ModelError, typed_line
from zoo.training.keras_class import KerasClass, class_name, subclasses

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
    if activation is keras.activations.linear and kind == "Activation" and _follows_softmax(operation):
        return "softmax"
    return str(getattr(activation, "__name__", activation))


def _follows_softmax(operation: Any) -> bool:
    """Whether a layer that changes nothing, as one that ends mixed precision, reads probabilities."""
    before = operation._inbound_nodes[-1].input_tensors[0]._keras_history.operation
    return not isinstance(before, keras.layers.InputLayer) and _last_activation(before) == "softmax"


CROSS_ENTROPY = KerasClass("CategoricalCrossentropy")
_OF_NUMBERS = ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy")
"""Losses that take class numbers; all others take rows of classes."""


class LabelLoss(keras.losses.Loss):  # type: ignore[misc]
    """A loss of Keras that compares rows of classes, for labels of either form.

    Args:
        rows: the loss of labels and outputs, (N, classes) each.
        from_logits: whether outputs are logits.
    """

    def __init__(self, rows: keras.losses.Loss, from_logits: bool) -> None:
        super().__init__(name=rows.name)
        self._rows, self.from_logits = rows, from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses (N,) of labels (N,) or (N, classes) and outputs (N, classes)."""
        labels = y_true
        if len(labels.shape) == 1:
            labels = keras.ops.one_hot(keras.ops.cast(labels, "int32"), y_pred.shape[-1], dtype=y_pred.dtype)
        return self._rows.call(labels, y_pred)


def training_loss(model: keras.Model, choice: KerasClass | None = None, *, mixed: bool = False) -> Any:
    """What the training of a classifier minimizes.

    Args:
        model: one output (N, classes), probabilities or logits.
        choice: a class of `keras.losses`; None for cross-entropy.
        mixed: whether labels may be shares of classes, (N, classes).

    Returns:
        A loss with an attribute ``from_logits``.

    Raises:
        ModelError: an output that is no classifier's.
        ConfigError: see `chosen_loss`.
    """
    plain = loss_for(model)
    return plain if choice is None and not mixed else chosen_loss(choice, plain.from_logits, mixed)


def chosen_loss(choice: KerasClass | None, from_logits: bool, mixed: bool) -> Any:
    """A loss of Keras by its name and options, for outputs that are logits or probabilities.

    Raises:
        ConfigError: a class that there is not, options that it refuses, one that takes no logits where there are some,
            or one that takes class numbers where labels are mixed.
    """
    chosen, classes = choice or CROSS_ENTROPY, loss_classes()
    name = class_name(chosen.name, classes, "loss")
    takes_logits = "from_logits" in inspect.signature(classes[name].__init__).parameters
    made = chosen.make(classes, "loss", **({"from_logits": from_logits} if takes_logits else {}))
    if from_logits and not takes_logits:
        raise ConfigError(
            f"loss: expected a loss that takes logits, as the model gives, received {name}; end the model in a "
            "softmax, or choose one of the cross-entropies"
        )
    if name not in _OF_NUMBERS:
        return LabelLoss(made, from_logits)
    if mixed:
        raise ConfigError(
            f"loss: expected one that takes shares of classes, which MixUp and CutMix make, received {name}, which "
            "takes class numbers; choose CategoricalCrossentropy"
        )
    made.from_logits = from_logits
    return made


def check_loss(choice: KerasClass | None, classes: int, mixed: bool) -> None:
    """Try a loss on made-up outputs of so many classes.

    Raises:
        ConfigError: it does not take them, or see `chosen_loss`.
    """
    made = chosen_loss(choice, False, mixed)
    labels, outputs = np.zeros(2, np.int64), np.full((2, classes), 1 / classes, np.float32)
    try:
        value = float(made(labels, outputs))
    except Exception as error:  # Keras and TensorFlow raise errors of many types for shapes.
        value = math.nan
        received = typed_line(error)
    else:
        received = str(value)
    if not math.isfinite(value):
        raise ConfigError(
            f"loss: expected one that takes labels and outputs (N, {classes}), received {received} from "
            f"{made.name}; choose another, such as CategoricalCrossentropy"
        )


def loss_classes() -> dict[str, Any]:
    """The losses of Keras, by the names of their classes."""
    return subclasses(keras.losses, keras.losses.Loss)


def accuracy(labels: Any, outputs: Any) -> Any:
    """Top-1 (N,) of labels (N,) or (N, classes), the largest share then, and outputs (N, classes)."""
    rows = len(labels.shape) > 1 and labels.shape[-1] != 1
    numbers = keras.ops.argmax(labels, axis=-1) if rows else keras.ops.reshape(labels, (-1,))
    right = keras.ops.equal(
        keras.ops.cast(numbers, "int32"), keras.ops.cast(keras.ops.argmax(outputs, axis=-1), "int32")
    )
    return keras.ops.cast(right, "float32")
