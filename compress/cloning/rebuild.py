"""A new model from an old one, layer by layer: the one place where Keras models are rewritten."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from compress.cloning.functional import model_like
from compress.cloning.layer_copy import copy_layer, copy_weights
from compress.cloning.layers import layers_by_name
from compress.cloning.nodes import Arguments
from compress.cloning.walk import as_functional
from compress.cloning.whole_layer import copy_whole

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
    if source.compiled:  # clone_model would compile the copy too, and fail at losses that Keras cannot find by name.
        source = model_like(source, source.input, source.output)
    made = keras.models.clone_model(source, _copy_inputs(source), clone_function=clone, call_function=call)
    return made if source.trainable else model_like(source, made.input, made.output)


def _copy_inputs(model: Any) -> Any:
    """New symbolic inputs in the structure of the model's; Keras would name theirs after tensors, not layers."""
    layers = {id(layer.output): layer for layer in model.layers if isinstance(layer, keras.layers.InputLayer)}
    return keras.tree.map_structure(lambda tensor: copy_layer(layers[id(tensor)]).output, model.input)


def copy_model(model: Any) -> Any:
    """A model with the same layers and equal weights that shares nothing with the original."""
    source = as_functional(model)
    copy = rebuild(source, lambda layer: [copy_whole(layer)])
    made = layers_by_name(copy)
    for name, layer in layers_by_name(source).items():
        copy_weights(layer, made[name])
    return copy
