"""What a pruned model must compute: the original with the removed channels set to zero, call by call."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from compress.cloning.walk import calls
from compress.graph.channel_graph import ChannelGraph


def masked_outputs(model: Any, graph: ChannelGraph, kept: np.ndarray, x: Any) -> list[np.ndarray]:
    """Outputs of the original model with every removed channel set to zero after every call.

    A normalization across channels of which some may go takes its statistics of those that stay.

    Knows nothing of how a pruned model is made: only which channels each tensor has, and which of them stay.

    Args:
        model: the original, functional.
        graph: its analysis.
        kept: for every label of the graph whether its channel stays.
        x: one input, or a list of them.
    """
    x = x if isinstance(x, list) else [x]
    values = {id(tensor): keras.ops.convert_to_tensor(array) for tensor, array in zip(model.inputs, x, strict=True)}
    for call, node in zip(calls(model), graph.nodes, strict=True):
        if call.is_input:
            continue
        args, kwargs = keras.tree.map_structure(
            lambda item: values[id(item)] if isinstance(item, keras.KerasTensor) else item, call.arguments
        )
        # As model(x, training=False) does, whatever the mode that a call was recorded with.
        mode = {"training": False} if "training" in inspect.signature(call.layer.call).parameters else {}
        if node.exact or not node.understood:
            results = keras.tree.flatten(call.layer(*args, **{**kwargs, **mode}))
        else:
            results = [_normalized(call.layer, np.asarray(args[0]), kept[node.output])]
        for tensor, value, labels, axis in zip(call.outputs, results, node.outputs, node.axes, strict=True):
            values[id(tensor)] = _masked(value, kept[labels], axis)
    return [np.asarray(values[id(tensor)]) for tensor in model.outputs]


def relative_error(actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """max |a - b| / max |b| over all outputs."""
    largest = max(float(np.max(np.abs(b))) for b in expected)
    return max(float(np.max(np.abs(a - b))) for a, b in zip(actual, expected, strict=True)) / largest


def _normalized(layer: Any, values: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """What a normalization across channels makes of those that stay, by its definition; zero for the others.

    Args:
        layer: a normalization of layers, of root mean squares, or of one group.
        values: (N, ..., C).
        stays: (C,).
    """
    left = values[..., stays].astype(np.float64)
    mean_square = isinstance(layer, keras.layers.RMSNormalization)
    axes = tuple(range(1, left.ndim))  # of one group: all
    if not isinstance(layer, keras.layers.GroupNormalization):
        axes = tuple(sorted(axis % left.ndim for axis in layer.axis))
    if not mean_square:
        left -= left.mean(axes, keepdims=True)
    left /= np.sqrt(np.mean(left**2, axes, keepdims=True) + layer.epsilon)
    for name, operation in (("scale" if mean_square else "gamma", np.multiply), ("beta", np.add)):
        weight = getattr(layer, name, None)
        if weight is not None:
            left = operation(left, _along(np.asarray(weight)[..., stays], axes, left.ndim))
    whole = np.zeros(values.shape, values.dtype)
    whole[..., stays] = left
    return whole


def _along(weight: np.ndarray, axes: tuple[int, ...], rank: int) -> np.ndarray:
    """A weight that has the last of these axes, in the shape in which it meets values of so many axes."""
    shape = [1] * rank
    for axis, size in zip(axes[-weight.ndim :], weight.shape, strict=True):
        shape[axis] = size
    return weight.reshape(shape)


def _masked(value: Any, stays: np.ndarray, axis: int) -> Any:
    if np.all(stays):
        return value
    shape = [1] * len(value.shape)
    shape[axis] = -1
    return keras.ops.where(stays.reshape(shape), value, keras.ops.zeros_like(value))
