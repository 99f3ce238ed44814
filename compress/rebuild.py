"""A new model from an old one, layer by layer: the one place where Keras models are rewritten."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from compress.errors import ModelError
from compress.excerpt import one_line
from compress.layer_rule import Arguments
from compress.walk import as_functional, layers_by_name

Chain = Sequence[Any]
"""Unbuilt layers that are called one after the other in a layer's place; the last one defines the output."""


def rebuild(
    model: Any,
    chain_for: Callable[[Any], Chain],
    arguments_for: Callable[[Any, Arguments], Arguments] = lambda layer, arguments: arguments,
) -> Any:
    """A new functional model in which every layer is replaced by a chain of new layers, weights not yet set.

    Args:
        model: a functional or Sequential model; it is not modified.
        chain_for: chain of new layers for a layer; called once per layer, also for a shared one.
        arguments_for: arguments of a call of an old layer, the new tensors among them -> arguments for its chain.
    """
    chains: dict[int, tuple[Any, Chain]] = {}

    def clone(layer: Any) -> Any:
        chain = chain_for(layer)
        chains[id(chain[0])] = layer, chain
        return chain[0]

    def call(first: Any, *args: Any, **kwargs: Any) -> Any:
        layer, chain = chains[id(first)]
        args, kwargs = arguments_for(layer, (args, kwargs))
        output = first(*args, **kwargs)
        for following in chain[1:]:
            output = following(output)
        return output

    source = as_functional(model)
    return keras.models.clone_model(source, _copy_inputs(source), clone_function=clone, call_function=call)


def _copy_inputs(model: Any) -> Any:
    """New symbolic inputs in the structure of the model's; Keras would name theirs after tensors, not layers."""
    layers = {id(layer.output): layer for layer in model.layers if isinstance(layer, keras.layers.InputLayer)}
    return keras.tree.map_structure(lambda tensor: copy_layer(layers[id(tensor)]).output, model.input)


def copy_layer(layer: Any, **changes: Any) -> Any:
    """An unbuilt copy of a layer, or of a ``keras.ops`` operation, with some configuration values changed.

    Raises:
        ModelError: the layer cannot be made from its configuration.
    """
    try:
        return type(layer).from_config({**layer.get_config(), **changes})
    except Exception as error:  # Whatever the layer's own code raises.
        raise ModelError(
            f"layer '{layer.name}' ({type(layer).__name__}) cannot be copied: {one_line(error)}; "
            "give it a get_config() from which it can be made"
        ) from error


def copy_weights(old: Any, new: Any, changed: Mapping[str, Any] | None = None) -> None:
    """Give a new layer the weights of an old one.

    Args:
        old: the layer to copy.
        new: a built layer.
        changed: values that replace the old ones, by attribute name; all other weights are copied.
    """
    changed = changed or {}
    for before, after in zip(old.weights, new.weights, strict=True):
        name = next((name for name in changed if getattr(new, name) is after), None)
        after.assign(before if name is None else changed[name])
    if isinstance(new, keras.layers.Normalization):
        new.finalize_state()  # what it computes with is derived from its weights


def copy_model(model: Any) -> Any:
    """A model with the same layers and equal weights that shares nothing with the original."""
    source = as_functional(model)
    copy = rebuild(source, lambda layer: [copy_layer(layer)])
    made = layers_by_name(copy)
    for name, layer in layers_by_name(source).items():
        copy_weights(layer, made[name])
    return copy
