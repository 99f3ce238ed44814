"""Channels through normalizations: which of them compute every channel from itself alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from compress.graph.coupling import Channels, Coupling
from compress.graph.group import KeptChannels, Node
from compress.graph.rules.layer_rule import LayerCall
from compress.graph.rules.reshaping import axes_of


def normalizes_another_axis(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why statistics per position of one axis do not belong to single channels."""
    axis = call.layer.axis
    if axes_of(axis, len(call.output_shape)) == (inputs[0].axis,):
        return None
    return f"'{call.layer.name}' normalizes axis {axis}, not the channels"


def normalizes_across_channels(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a normalization over channels is not exact: the mean over fewer channels is another one."""
    if inputs[0].axis in axes_of(call.layer.axis, len(call.output_shape)):
        return f"'{call.layer.name}' ({type(call.layer).__name__}) normalizes across channels, so none may go"
    return None


def normalizes_in_one_group(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a group normalization is not exact: only whole groups may go, and there is but one."""
    if call.layer.groups == 1:
        return f"'{call.layer.name}' (GroupNormalization) normalizes all channels together, so none may go"
    return normalizes_another_axis(call, inputs)


def normalize_groups(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Only whole groups may go: the channels of one group are coupled."""
    coupling.couple(inputs[0].labels.reshape(call.layer.groups, -1).T)
    return (inputs[0],)


def kept_groups(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    """The ``groups`` of a group normalization."""
    return {"groups": int(kept[node.output].sum()) * layer.groups // node.output.size}


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
