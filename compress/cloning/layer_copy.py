"""Copies of single layers: unbuilt ones from the configuration, and the weights of built ones."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from compress.cloning.layers import finalize_state, weight_of
from compress.errors import ModelError, typed_line

_LOOKUPS = (keras.layers.IntegerLookup, keras.layers.StringLookup, keras.layers.TextVectorization)


def copy_layer(layer: Any, /, **changes: Any) -> Any:
    """An unbuilt copy of a layer, or of a ``keras.ops`` operation, with some configuration values changed.

    Raises:
        ModelError: the layer cannot be made from its configuration.
    """
    try:
        if type(layer) is keras.layers.Lambda:
            return _copy_lambda(layer, **changes)
        if type(layer) is keras.layers.TimeDistributed:
            return _copy_time_distributed(layer, **changes)
        config = _config(layer)
        kept = {**_initializers(layer, config), **_functions(layer, config), **_penalties(layer, config)}
        made = type(layer).from_config({**config, **kept, **changes})
        if type(layer) in _LOOKUPS:
            _copy_vocabulary(layer, made)
        return made
    except Exception as error:  # Whatever the layer's own code raises.
        raise ModelError(
            f"layer '{layer.name}' ({type(layer).__name__}) cannot be copied: {typed_line(error)}; "
            "give it a get_config() from which it can be made"
        ) from error


def _config(layer: Any) -> dict[str, Any]:
    """The configuration; of a layer that takes no arguments of its own and has none, what every layer's holds.

    Keras's ``Identity`` has none where it was made with a dtype policy.
    """
    own = set(inspect.signature(type(layer).__init__).parameters) - {"self", "args", "kwargs"}
    try:
        return dict(layer.get_config())
    except NotImplementedError:
        if own or not isinstance(layer, keras.Layer):
            raise
        return {"name": layer.name, "trainable": layer.trainable, "dtype": layer.dtype_policy.name}


def _copy_vocabulary(old: Any, new: Any) -> None:
    """Give a lookup the vocabulary that another has learned, which its configuration does not hold."""
    words = old.get_vocabulary()
    if words == new.get_vocabulary() or not old.get_vocabulary(include_special_tokens=False):
        return
    lookup = getattr(old, "_lookup_layer", old)
    frequencies = lookup.idf_weights_const.numpy()[: len(words)] if lookup.output_mode == "tf_idf" else None
    new.set_vocabulary(words, frequencies)


def _copy_lambda(layer: Any, **changes: Any) -> Any:
    # With the function itself: made from its code, as the configuration has it, it would lack its module's globals.
    settings = {**keras.Layer.get_config(layer), **changes}
    return keras.layers.Lambda(layer.function, layer._output_shape, layer.mask, dict(layer.arguments), **settings)


def _copy_time_distributed(layer: Any, /, **changes: Any) -> Any:
    # Around a copy: serialized, the layer in it would lose the functions that it holds.
    inner = changes.pop("layer", None) or copy_layer(layer.layer)
    return keras.layers.TimeDistributed(inner, **{**keras.Layer.get_config(layer), **changes})


def _initializers(layer: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Zeros for the initializers that are arrays, which fit only the shape of before, and for those of the user's.

    Weights are set in any case.
    """
    values = {name: _held(layer, name) for name in config if name.endswith("_initializer")}
    return {name: "zeros" for name, value in values.items() if _is_array(value) or _is_unknown_to_keras(layer, value)}


def _penalties(layer: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Regularizers and constraints of the user's, as they are: Keras finds them only if registered."""
    values = {name: _held(layer, name) for name in config if name.endswith(("_regularizer", "_constraint"))}
    return {name: value for name, value in values.items() if _is_unknown_to_keras(layer, value)}


def _held(layer: Any, name: str) -> Any:
    """What a layer has made of an option; some keep it in a private attribute."""
    return getattr(layer, name, getattr(layer, f"_{name}", None))


def _is_array(initializer: Any) -> bool:
    return bool(np.ndim(getattr(initializer, "value", 0)))


def _is_unknown_to_keras(layer: Any, value: Any) -> bool:
    """Whether a layer of Keras's, which takes objects as well as their configurations, holds one of the user's."""
    return value is not None and _is_keras(layer) and not _is_keras(value)


def _is_keras(value: Any) -> bool:
    """Whether an object is of one of Keras's own classes."""
    return type(value).__module__.startswith("keras.")


def _functions(layer: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Activations that are functions, or layers of the user's, as they are: Keras finds them only if registered."""
    activations = {name: getattr(layer, name, None) for name in config if name.endswith("activation")}
    return {name: value for name, value in activations.items() if inspect.isfunction(value) or _is_users(value)}


def _is_users(value: Any) -> bool:
    return isinstance(value, keras.Layer) and not _is_keras(value) and not value.weights


def copy_weights(old: Any, new: Any, changed: Mapping[str, Any] | None = None) -> None:
    """Give a new layer the weights of an old one, and whether training changes each of them.

    Args:
        old: the layer to copy.
        new: a built layer.
        changed: values that replace the old ones, by attribute name, as in "kernel" or "layer.kernel"; all other
            weights are copied.
    """
    changed = changed or {}
    for before, after in _weight_pairs(old, new):
        name = next((name for name in changed if weight_of(new, name) is after), None)
        after.assign(before if name is None else changed[name])
        after.trainable = before.trainable
    finalize_state(new)


def _weight_pairs(old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    """Each weight of a layer with that of its copy: by name where names tell them apart, else by place.

    A layer that was quantized after it was built has its weights in another order than a copy, which is built as one.
    """
    copies = {weight.name: weight for weight in new.weights}
    names = {weight.name for weight in old.weights}
    if names == copies.keys() and len(names) == len(old.weights) == len(new.weights):
        return ((weight, copies[weight.name]) for weight in old.weights)
    return zip(old.weights, new.weights, strict=True)
