"""Channels through normalizations: which of them compute every channel from itself alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compress.graph.coupling import Channels, Coupling
from compress.graph.group import KeptChannels, Node
from compress.graph.rules.layer_rule import LayerCall, LayerRule
from compress.graph.rules.reshaping import axes_of


def normalizes_another_axis(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why statistics per position of one axis do not belong to single channels."""
    axis = call.layer.axis
    if axes_of(axis, len(call.output_shape)) == (inputs[0].axis,):
        return None
    return f"'{call.layer.name}' normalizes axis {axis}, not the channels"


def across_channels(call: LayerCall, inputs: Sequence[Channels]) -> str:
    """Why a normalization over channels is not exact: the mean over fewer channels is another one."""
    name, kind = call.layer.name, type(call.layer).__name__
    return f"'{name}' ({kind}) normalizes across channels: see pruning.across_normalization"


def across_last_axis(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a layer normalization is not exact, where it runs over the channels."""
    over_channels = inputs[0].axis in axes_of(call.layer.axis, len(call.output_shape))
    return across_channels(call, inputs) if over_channels else None


def across_one_group(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a group normalization of but one group is not exact."""
    return across_channels(call, inputs) if call.layer.groups == 1 else None


def with_axes(layer: Any, rule: LayerRule) -> LayerRule:
    """The rule of a built layer whose weights have an axis for each one that it normalizes over."""
    rank = len(layer.get_build_config()["input_shape"])
    axes = layer.axis if isinstance(layer.axis, list | tuple) else (layer.axis,)
    roles = tuple("out" if axis % rank == rank - 1 else None for axis in axes)
    return replace(rule, weights=dict.fromkeys(rule.weights, roles))


def normalize_groups(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Only whole groups may go: the channels of one group are coupled, unless there is but one."""
    if call.layer.groups > 1:
        coupling.couple(inputs[0].labels.reshape(call.layer.groups, -1).T)
    return (inputs[0],)


def kept_groups(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    """The ``groups`` of a group normalization."""
    return {"groups": max(1, int(kept[node.output].sum()) * layer.groups // node.output.size)}


def kept_statistics(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    """``mean`` and ``variance`` of a Normalization layer, where they are given and not learned."""
    if layer.input_mean is None:
        return {}
    given = {"mean": layer.input_mean, "variance": layer.input_variance}
    return {name: _kept_values(value, node, kept) for name, value in given.items()}


def kept_scale(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    """``scale`` and ``offset`` of a Rescaling layer."""
    return {name: _kept_values(getattr(layer, name), node, kept) for name in ("scale", "offset")}


def _kept_values(value: Any, node: Node, kept: KeptChannels) -> Any:
    """One number for all channels unchanged; of one number per channel, those of the channels that stay."""
    array = np.asarray(value)
    if array.ndim == 0 or array.shape[-1] == 1:
        return value
    return np.compress(kept[node.output], array, axis=-1).tolist()
