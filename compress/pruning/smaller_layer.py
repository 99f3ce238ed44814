"""Layers with fewer channels, unbuilt or, where a rule of the user's own holds, built with weights to be set."""

from typing import Any

import keras

from compress.cloning.layer_copy import copy_layer
from compress.cloning.layers import weight_of
from compress.cloning.user_rules import UserRule, user_rule
from compress.cloning.whole_layer import copy_to_build
from compress.errors import ModelError, typed_line
from compress.graph.group import KeptChannels, Node
from compress.graph.rules.layers import rule_for


def smaller_layer(layer: Any, node: Node, kept: KeptChannels) -> Any:
    """A copy of a layer for the channels that stay, its weights not yet set.

    Args:
        layer: a layer or operation whose rule holds; it is not modified.
        node: its first call.
        kept: True for every label that stays, shape (graph.labels,).

    Raises:
        ModelError: the layer cannot be copied, or its copy has other weights than those that are kept.
    """
    if node.inside is not None:
        return copy_layer(layer, layer=smaller_layer(layer.layer, node.inside, kept))
    users = user_rule(layer)
    if users is not None:
        return _of_user(layer, users, node, kept)
    rule = rule_for(layer)
    return copy_layer(layer, **(rule.resize(layer, node, kept) if rule is not None and rule.resize else {}))


def _of_user(layer: Any, rule: UserRule, node: Node, kept: KeptChannels) -> Any:
    """A copy by the user's rule, built, that was seen to have the right weights and to compute so many channels."""
    channels = int(kept[node.output].sum())
    shape = (*node.input_shapes[0][:-1], int(kept[node.inputs[0]].sum()))
    try:
        made = copy_to_build(layer) if rule.size is None else _resized(layer, rule.size, node.output.size, channels)
        if not getattr(made.build, "_is_default", False):  # Else its weights are there already, if it has any.
            made.build(shape)
        _check_weights(made, node, kept)
        _check_call(made, keras.KerasTensor(shape, layer.compute_dtype), len(node.output_shape), channels)
    except Exception as error:  # Whatever the layer's own code raises.
        reason = str(error) if isinstance(error, ModelError) else typed_line(error)
        # Keras puts advice of its own before what a call raises on symbolic tensors.
        reason = reason.rpartition("Error encountered: ")[2]
        advice = "make its weights in build() for the shape that it is given, or name in compress.rule the key of "
        raise ModelError(
            f"layer '{layer.name}' ({type(layer).__name__}) cannot be made with {channels} channels: {reason}; "
            f"{advice}get_config() that holds its channels"
        ) from error
    return made


def _check_weights(made: Any, node: Node, kept: KeptChannels) -> None:
    for weight in node.weights:
        expected = tuple(
            size if labels is None else int(kept[labels].sum())
            for size, labels in zip(weight.shape, weight.labels, strict=True)
        )
        received = tuple(getattr(weight_of(made, weight.name), "shape", ()))
        if received != expected:
            raise ModelError(f"its weight '{weight.name}' should have the shape {expected}, and has {received}")


def _check_call(made: Any, inputs: Any, rank: int, channels: int) -> None:
    """Look at what a call gives, whatever the layer says of shapes."""
    shape = tuple(keras.Operation.compute_output_spec(made, inputs).shape)
    if len(shape) != rank or shape[-1] not in (None, channels):
        raise ModelError(f"it makes {shape} of {tuple(inputs.shape)}")


def _resized(layer: Any, key: str, before: int, after: int) -> Any:
    value = layer.get_config().get(key)
    if value != before:
        raise ModelError(f"its get_config() should have {before} channels as {key!r}, and has {value!r}")
    return copy_layer(layer, **{key: after})
