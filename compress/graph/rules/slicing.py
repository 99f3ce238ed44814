"""Channels through slices and splits, which may take a part of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from compress.cloning.nodes import Arguments
from compress.graph.coupling import Channels, Coupling
from compress.graph.group import KeptChannels, Node
from compress.graph.rules.layer_rule import LayerCall


def split(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Parts of the channels, or of the positions of all channels."""
    labels, axis = inputs[0].labels, inputs[0].axis
    if call.layer.axis % len(call.input_shapes[0]) != axis:
        return tuple(inputs[0] for _ in call.output_shapes)
    widths = [int(shape[axis] or 0) for shape in call.output_shapes]
    return tuple(Channels(part, axis) for part in np.split(labels, np.cumsum(widths)[:-1]))


def split_points(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    """Where a split along the channels cuts those that stay; any other split cuts where it did."""
    if layer.axis % len(node.output_shape) != node.axes[0]:
        return {}
    widths = [int(kept[labels].sum()) for labels in node.outputs]
    return {"indices_or_sections": tuple(int(point) for point in np.cumsum(widths)[:-1])}


def _expanded_key(key: Any, rank: int) -> list[Any]:
    """A slicing key with a slice for each axis in the place of the ellipsis."""
    keys = list(key) if isinstance(key, list | tuple) else [key]
    place = next((i for i, item in enumerate(keys) if item is Ellipsis), len(keys))
    taken = sum(item is not None and item is not Ellipsis for item in keys)
    return [*keys[:place], *[slice(None)] * (rank - taken), *keys[place + 1 :]]


def _place(keys: Sequence[Any], axis: int) -> int:
    """Where the key of an input axis stands in an expanded key."""
    return [place for place, item in enumerate(keys) if item is not None][axis]


def _key(arguments: Arguments) -> Any:
    positional, keywords = arguments
    return keywords["key"] if "key" in keywords else positional[1]


def get_item(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Slicing: a part of the channels, or all channels of some positions."""
    keys = _expanded_key(_key(call.arguments), len(call.input_shapes[0]))
    place = _place(keys, inputs[0].axis)
    axis = sum(not isinstance(item, int) for item in keys[:place])
    return (Channels(inputs[0].labels[keys[place]], axis),)


def odd_slice(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a slicing key cannot follow the channels that stay."""
    keys = _expanded_key(_key(call.arguments), len(call.input_shapes[0]))
    if not isinstance(keys[0], slice) or keys[0] != slice(None):
        return f"'{call.layer.name}' slices the batch axis"
    of_channels = keys[_place(keys, inputs[0].axis)]
    if not isinstance(of_channels, slice) or of_channels.step not in (None, 1):
        return f"'{call.layer.name}' picks single channels"
    return None


def kept_slice(arguments: Arguments, node: Node, kept: KeptChannels) -> Arguments:
    """The slicing key for the channels that stay."""
    positional, keywords = arguments
    keys = _expanded_key(_key(arguments), len(node.input_shapes[0]))
    place = _place(keys, node.input_axes[0])
    start, stop, _ = keys[place].indices(node.inputs[0].size)
    count = np.concatenate([[0], np.cumsum(kept[node.inputs[0]])])
    keys[place] = slice(int(count[start]), int(count[max(start, stop)]))
    if "key" in keywords:
        return positional, {**keywords, "key": tuple(keys)}
    return (positional[0], tuple(keys), *positional[2:]), keywords


def unstack(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """One output for each position of an axis that is not the channels'."""
    axis = call.layer.axis % len(call.input_shapes[0])
    channels = Channels(inputs[0].labels, inputs[0].axis - (axis < inputs[0].axis))
    return tuple(channels for _ in call.output_shapes)


def unstacks_channels(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why the outputs cannot be followed: single channels are no parts of a tensor that could get smaller."""
    axis = call.layer.axis % len(call.input_shapes[0])
    return f"'{call.layer.name}' takes the channels apart" if axis in (0, inputs[0].axis) else None
