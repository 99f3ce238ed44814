"""The loss that fits a classifier's output."""

import keras

from compress.errors import ModelError


def loss_for(model: keras.Model) -> keras.losses.Loss:
    """Sparse categorical cross-entropy on the model's one output (N, classes): softmax probabilities, or logits.

    Raises ModelError for several outputs or for another last activation, on which neither reading is right.
    """
    if len(model.outputs) != 1:
        raise ModelError(f"expected a classifier with one output, received {len(model.outputs)} from {model.name!r}")
    last = _last_activation(model)
    if last not in ("softmax", "linear"):
        raise ModelError(
            f"expected softmax or logits (no activation) at the output of {model.name!r}, received {last}; "
            "replace the last activation"
        )
    return keras.losses.SparseCategoricalCrossentropy(from_logits=last == "linear")


def _last_activation(model: keras.Model) -> str:
    """Name of the function that the output layer ends in; "linear" for a layer without one."""
    tensor = model.outputs[0]
    layer = next(layer for layer in model.layers if any(node_output is tensor for node_output in _outputs(layer)))
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    activation = getattr(layer, "activation", keras.activations.linear)
    return str(getattr(activation, "__name__", activation))
