"""What the layers of a model hold: weights by name, and what is derived from them."""

from typing import Any

import keras
import numpy as np

from compress.errors import ModelError, excerpt


def layers_by_name(model: Any) -> dict[str, Any]:
    """The layers of a model by name; ``get_layer`` searches all of them each time."""
    return {layer.name: layer for layer in model.layers}


def weight_of(layer: Any, name: str) -> Any:
    """A weight by attribute name, "layer.kernel" for one of the layer in a ``TimeDistributed``; None without it."""
    owner = layer
    for part in name.split("."):
        owner = getattr(owner, part, None)
    return owner


def check_finite(model: Any) -> None:
    """Refuse weights that are not a number or infinite: nothing computed from them means anything.

    Raises:
        ModelError: names the layers that have some.
    """
    broken = [f"{count} of {weight.path}" for weight in model.weights if (count := _infinite(weight))]
    if broken:
        raise ModelError(
            f"expected finite weights, received NaN or infinity in {excerpt(broken)}; train the model anew"
        )


def _infinite(weight: Any) -> int:
    """How many values are not finite."""
    values = keras.ops.convert_to_numpy(weight)
    return int(np.sum(~np.isfinite(values if values.dtype == np.float32 else np.asarray(values, np.float64))))


def finalize_state(layer: Any) -> None:
    """Have a layer, and the one that it may wrap, compute what it keeps besides its weights from them.

    ``Normalization`` for one computes with a mean and a variance that it derives from its weights once. Layers without
    weights are left as they are: what they keep, such as the bins of ``Discretization``, is in their configuration.
    """
    parts: tuple[Any, ...] = (layer, getattr(layer, "layer", None))
    for part in parts:
        if hasattr(part, "finalize_state") and part.weights:
            part.finalize_state()


def learned_weights(layer: Any) -> frozenset[int]:
    """Identities of the weights that training changes where no layer is frozen."""
    # A frozen layer's weights say that they are not trainable; Keras keeps what they were made as in this attribute.
    layers = layer._flatten_layers() if isinstance(layer, keras.Layer) else ()
    return frozenset(id(weight) for part in layers for weight in part._trainable_variables)
