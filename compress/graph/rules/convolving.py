"""Channels through convolutions and dense layers, which make new ones, with groups, and through their activations."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compress.graph.coupling import Channels, Coupling, Labels
from compress.graph.group import KeptChannels, Node
from compress.graph.rules.layer_rule import LayerCall, LayerRule, Roles, along_last_axis, config_with
from compress.graph.rules.operations import is_elementwise


def layer_types(*names: str, ranks: Sequence[int] = ()) -> list[type]:
    """Layer types by name; with ranks, those of that many spatial axes. A Keras that lacks one has no rule for it."""
    full = [f"{name}{rank}D" for name in names for rank in ranks] if ranks else names
    return [getattr(keras.layers, name) for name in full if hasattr(keras.layers, name)]


ACTIVATIONS = layer_types("ReLU", "LeakyReLU", "ELU", "Identity")
"""Layer types that may be the activation of another layer: they act on every channel alone."""

_MIXING = ("softmax", "log_softmax", "glu", "sparsemax")


def mixes_channels(call: LayerCall) -> str | None:
    """Why the layer's activation is not known to act on every channel alone."""
    activation = call.layer.activation
    if type(activation) in ACTIVATIONS:
        return None
    name = getattr(activation, "__name__", type(activation).__name__)
    if name in _MIXING:
        return f"the {name} of '{call.layer.name}' mixes channels"
    if activation is getattr(keras.activations, name, None):
        return None
    if is_elementwise(activation):
        return None
    return f"the activation {name} of '{call.layer.name}' is not one of Keras's, and may mix channels"


def _activated(call: LayerCall, output: Labels, coupling: Coupling) -> tuple[Channels, ...]:
    reason = mixes_channels(call)
    if reason is not None:
        coupling.freeze(output, reason)
    return along_last_axis(call, output)


def _produce(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    return _activated(call, coupling.fresh(int(call.output_shape[-1] or 0)), coupling)


def _convolve_groups(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Channel i of every group is coupled with channel i of all others, so that every group keeps as many."""
    (output,) = _produce(call, inputs, coupling)
    for labels in (inputs[0].labels, output.labels):
        coupling.couple(labels.reshape(call.layer.groups, -1))
    return (output,)


def _convolve_depthwise(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    times = int(call.output_shape[-1] or 0) // max(inputs[0].size, 1)
    return _activated(call, np.repeat(inputs[0].labels, times), coupling)


def _kept_single_channel_groups(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    return {"groups": int(kept[node.inputs[0]].sum()), "filters": int(kept[node.output].sum())}


def affine(rank: int, kernel: Roles = ("in", "out"), width: str = "filters") -> LayerRule:
    """Convolutions of so many spatial axes, transposed ones and dense layers."""
    return LayerRule(
        _produce,
        weights={"kernel": (None,) * rank + kernel, "bias": ("out",)},
        resize=config_with(width),
        produces=True,
        scored=("kernel", "out"),
    )


def depthwise(rank: int) -> LayerRule:
    """Convolutions of so many spatial axes of every channel by itself."""
    weights: dict[str, Roles] = {"kernel": (None,) * rank + ("in", None), "bias": ("out",)}
    return LayerRule(_convolve_depthwise, weights=weights, scored=("kernel", "in"))


def separable(rank: int) -> LayerRule:
    """Depthwise convolutions of so many spatial axes, and a pointwise one behind."""
    spatial = (None,) * rank
    return LayerRule(
        _produce,
        weights={
            "depthwise_kernel": (*spatial, "in", None),
            "pointwise_kernel": (*spatial, "deep", "out"),
            "bias": ("out",),
        },
        resize=config_with("filters"),
        produces=True,
        scored=("pointwise_kernel", "out"),
    )


def grouped(layer: Any, rule: LayerRule) -> LayerRule:
    """The rule of a convolution with its number of groups."""
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return rule
    spatial = (None,) * (len(layer.kernel.shape) - 2)
    if layer.kernel.shape[-2] == 1:
        # One input channel for each group: a depthwise convolution by another name, of which whole groups may go.
        return LayerRule(
            _convolve_depthwise,
            weights={"kernel": (*spatial, None, "out"), "bias": ("out",)},
            resize=_kept_single_channel_groups,
            scored=("kernel", "out"),
        )
    weights: dict[str, Roles] = {"kernel": (*spatial, "group", "out"), "bias": ("out",)}
    return replace(rule, propagate=_convolve_groups, weights=weights)
