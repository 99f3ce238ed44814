"""Which convolutions of a model Tucker-2 may replace, and why it may not replace the others."""

from typing import Any

import keras

from compress.graph.group import Decomposable, Exclusion, Node
from compress.graph.naming import SUFFIXES

WIDEST_IMAGE = 3
"""Convolutions that read a model's input of this many channels or fewer are never decomposed, as in NPTK."""


def convolutions(
    layers: dict[str, Any], nodes: tuple[Node, ...]
) -> tuple[tuple[Decomposable, ...], tuple[Exclusion, ...]]:
    """Convolutions that may be decomposed, and those that may not, in the order of ``nodes``.

    Args:
        layers: the model's layers by name.
        nodes: every layer call, in topological order.
    """
    decomposable, excluded = [], []
    received: set[int] = set()
    for node in nodes:
        layer = layers[node.layer]
        if _passes_images(node, received):
            received.update(*(labels.tolist() for labels in node.outputs))
        if node.repeated or type(layer) not in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D):
            continue
        taken = next((node.layer + suffix for suffix in SUFFIXES if node.layer + suffix in layers), None)
        reason = _undecomposable_reason(layer, node, received)
        if reason is None and taken is not None:
            reason = f"the model has another layer '{taken}', as a part of it would be called"
        if reason is None:
            decomposable.append(Decomposable(node.layer, node.inputs[0].size, node.output.size))
        else:
            excluded.append(Exclusion(node.layer, reason))
    return tuple(decomposable), tuple(excluded)


def _passes_images(node: Node, received: set[int]) -> bool:
    """Whether a layer's output is the model's input, or what augmentation without weights makes of it."""
    return not node.understood and not node.weights and all(map(received.issuperset, node.inputs))


def _undecomposable_reason(layer: Any, node: Node, received: set[int]) -> str | None:
    if node.kind == "DepthwiseConv2D":
        return "a depthwise convolution does not mix channels"
    if node.layer.endswith(SUFFIXES):
        return "it is already a part of a decomposed convolution"
    if layer.groups != 1:
        return f"it is a grouped convolution (groups={layer.groups})"
    if layer.data_format != "channels_last":
        return f"it uses data_format='{layer.data_format}'; only 'channels_last' is supported"
    if not node.understood:
        return "it holds weights that its type does not have"
    # Only images: a layer that pruning has left with as few channels may still have been given ranks.
    if node.inputs[0].size <= WIDEST_IMAGE and received.issuperset(node.inputs[0].tolist()):
        return f"it reads the model's input, of only {node.inputs[0].size} channels"
    return None
