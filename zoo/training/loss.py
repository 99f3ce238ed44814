"""The loss that fits a classifier's output."""

from typing import Any

import keras

from compress.errors import ModelError


def loss_for(model: keras.Model) -> keras.losses.Loss:
    """Sparse categorical cross-entropy on the model's one output (N, classes): softmax probabilities, or logits.

    Raises ModelError for several outputs, or where the last layer gives neither probabilities nor logits.
    """
    if len(model.outputs) != 1:
        raise ModelError(f"expected a classifier with one output, received {len(model.outputs)} from {model.name!r}")
    last = _last_activation(model.outputs[0]._keras_history.operation)
    if last not in ("softmax", "linear"):
        raise ModelError(
            f"expected softmax or logits (no activation) at the output of {model.name!r}, received {last}; "
            "end the model in a Dense, Conv2D, Activation or Softmax layer"
        )
    return keras.losses.SparseCategoricalCrossentropy(from_logits=last == "linear")


def _last_activation(operation: Any) -> str:
    """Name of the function that the model ends in, or the class of a layer that has none to speak of."""
    if isinstance(operation, keras.Model) and operation.outputs:
        return _last_activation(operation.outputs[0]._keras_history.operation)
    kind = type(operation).__name__
    if kind in ("Softmax", "GlobalAveragePooling2D"):
        return "softmax" if kind == "Softmax" else "linear"
    activation = getattr(operation, "activation", kind)
    return str(getattr(activation, "__name__", activation))
