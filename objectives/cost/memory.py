"""Peak memory of activations: what all tensors that are alive at one call take together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.graph.channel_graph import ChannelCounts, ChannelGraph
from compress.graph.group import Node
from objectives.cost.terms import Floats, Ints


def call_order(graph: ChannelGraph) -> list[int]:
    """Indices of the graph's nodes in the order of their calls: depth first, from the outputs to the inputs.

    Every branch is called completely before the next one. Unlike Keras's order, it does not change when one call is
    replaced by a chain of calls.
    """
    makers = {tensor: index for index, node in enumerate(graph.nodes) for tensor in node.writes}
    order: list[int] = []
    called: set[int] = set()
    waiting = [makers[tensor] for tensor in reversed(graph.outputs)]
    while waiting:
        index = waiting[-1]
        missing = [maker for tensor in graph.nodes[index].reads if (maker := makers[tensor]) not in called]
        if missing:
            waiting.extend(reversed(missing))
            continue
        waiting.pop()
        if index not in called:
            called.add(index)
            order.append(index)
    return order


BYTES_PER_VALUE = 4


@dataclass(frozen=True)
class _Lives:
    """The lifetime of every tensor, in positions of the call order, and its bytes as a form of the kept channels.

    Attributes:
        first: position of the call that makes it; 0 for inputs of the model, shape (tensors,).
        last: position of the last call that reads it; the end for outputs of the model, shape (tensors,).
        forms: bytes as form @ (1, kept channels of every subgroup), shape (tensors, 1 + subgroups).
    """

    first: Ints
    last: Ints
    forms: Floats

    def alive(self, position: int) -> Floats:
        """Bytes of all tensors alive at a call, shape (1 + subgroups,)."""
        total: Floats = self.forms[(self.first <= position) & (position <= self.last)].sum(axis=0)
        return total


class PeakMemory:
    """Largest sum of bytes of the tensors alive at one call, for one image in float32, compiled once from a graph.

    A call's inputs and outputs are alive, and so is all that a later call reads. Every branch is called whole before
    the next, in the order in which the outputs ask for them. The model's inputs are there from the beginning, its
    outputs stay to the end. No call works in place, and weights do not count. A decomposed layer is three calls.

    Attributes:
        unsized: layers whose outputs have no fixed size and are left out.
    """

    def __init__(self, graph: ChannelGraph) -> None:
        self._counts = ChannelCounts.of(graph)
        self.unsized = tuple(dict.fromkeys(node.layer for node in graph.nodes if _unsized(node)))
        order = [graph.nodes[index] for index in call_order(graph)]
        self.layers = tuple(node.layer for node in order)
        lives = _lives(order, graph, self._counts)
        number = {layer.layer: index for index, layer in enumerate(graph.decomposable)}
        whole = np.array([lives.alive(position) for position in range(len(order))])
        split = [position for position, node in enumerate(order) if node.layer in number]
        self._split = _SplitCalls.of([(order[i], i, number[order[i].layer]) for i in split], lives)
        self._whole, self._positions = whole, np.array(split, dtype=np.int64)
        self._largest = _undominated(np.delete(whole, split, axis=0))

    def evaluate(self, kept: Ints, ranks: Ints) -> Ints:
        """Peak of many candidates in bytes, shape (N,).

        Args:
            kept: channels that stay in every subgroup, shape (N, subgroups), as `CostModel.candidate` gives them.
            ranks: (In Rank, Out Rank) of every decomposable layer, 0 where it stays whole, shape (N, layers, 2).
        """
        channels = np.insert(kept.astype(np.float64), 0, 1.0, axis=1)
        whole = (channels @ self._largest.T).max(axis=1, initial=0.0)
        split = self._split.bytes(channels, ranks).max(axis=1, initial=0.0)
        peak: Ints = np.rint(np.maximum(whole, split)).astype(np.int64)
        return peak

    def by_layer(self, kept: Ints, ranks: Ints) -> dict[str, int]:
        """Bytes alive at each layer of one candidate, at that of its calls where they are most."""
        channels = np.insert(kept.astype(np.float64), 0, 1.0, axis=1)
        alive = self._whole @ channels[0]
        alive[self._positions] = self._split.bytes(channels, ranks)[0]
        most: dict[str, int] = {}
        for layer, figure in zip(self.layers, np.rint(alive), strict=True):
            most[layer] = max(most.get(layer, 0), int(figure))
        return most

    def alive_above(self, kept: Ints, most: float) -> NDArray[np.bool_]:
        """Subgroups whose channels are alive at a call that needs more than ``most`` bytes, where no layer has ranks.

        Args:
            kept: channels that stay in every subgroup, shape (subgroups,).
            most: bytes.

        Returns:
            Shape (subgroups,).
        """
        forms = self._whole[np.rint(self._whole @ np.insert(kept.astype(np.float64), 0, 1.0)) > most]
        above: NDArray[np.bool_] = np.any(forms[:, 1:] > 0, axis=0)
        return above


@dataclass(frozen=True)
class _SplitCalls:
    """Calls of decomposable layers, which become three where the layer has ranks. Arrays by call.

    Attributes:
        forms: bytes alive at the whole call, and at each of the three without the tensors between them, by kept
            channels, shape (4, calls, 1 + subgroups).
        layer: number of its layer among the decomposable ones, shape (calls,).
        inputs: bytes of one channel of the first tensor between them, which has the input's positions.
        outputs: bytes of one channel of the second, which has the output's positions.
    """

    forms: Floats
    layer: Ints
    inputs: Floats
    outputs: Floats

    @classmethod
    def of(cls, calls: Sequence[tuple[Node, int, int]], lives: _Lives) -> "_SplitCalls":
        """Of calls with their position and the number of their layer."""
        forms = [_stages(node, position, lives) for node, position, _ in calls]
        width = lives.forms.shape[1]
        return cls(
            np.array(forms, dtype=np.float64).reshape(len(calls), 4, width).transpose(1, 0, 2),
            np.array([number for _, _, number in calls], dtype=np.int64),
            np.array([_channel_bytes(node.input_shapes[0], node.input_axes[0]) for node, _, _ in calls], dtype=float),
            np.array([_channel_bytes(node.output_shape, node.axes[0]) for node, _, _ in calls], dtype=float),
        )

    def bytes(self, channels: Floats, ranks: Ints) -> Floats:
        """Most bytes alive at each call or its three, shape (N, calls), for channels (N, 1 + subgroups)."""
        whole, before, between, after = np.einsum("nb,scb->snc", channels, self.forms, optimize=True)
        first = ranks[:, self.layer, 0] * self.inputs
        second = ranks[:, self.layer, 1] * self.outputs
        split = np.maximum(np.maximum(before + first, between + first + second), after + second)
        most: Floats = np.where(first > 0, split, whole)
        return most


def _stages(node: Node, position: int, lives: _Lives) -> NDArray[np.float64]:
    """Bytes alive at the whole call and at the three that replace it, shape (4, 1 + subgroups)."""
    whole = lives.alive(position)
    made, read = node.writes[0], node.reads[0]
    dying = lives.forms[read] if lives.last[read] == position else np.zeros_like(whole)
    before = whole - lives.forms[made]
    return np.stack([whole, before, before - dying, whole - dying])


def _lives(order: Sequence[Node], graph: ChannelGraph, counts: ChannelCounts) -> _Lives:
    tensors = sum(len(node.writes) for node in order)
    first, last = np.zeros(tensors, dtype=np.int64), np.zeros(tensors, dtype=np.int64)
    forms = np.zeros((tensors, 1 + counts.sizes.size))
    for position, node in enumerate(order):
        for index, tensor in enumerate(node.writes):
            first[tensor] = 0 if node.kind == "InputLayer" else position
            last[tensor] = position
            forms[tensor] = _form(node, index, counts)
        last[list(node.reads)] = position
    last[list(graph.outputs)] = len(order)
    return _Lives(first, last, forms)


def _form(node: Node, index: int, counts: ChannelCounts) -> Floats:
    """Bytes of one output tensor by kept channels, shape (1 + subgroups,); nothing where its size is not fixed."""
    shape, axis = node.output_shapes[index], node.axes[index]
    if None in shape[1:]:
        return np.zeros(1 + counts.sizes.size)
    constant, row = counts.form(node.outputs[index]) if len(shape) > 1 else (1, np.zeros_like(counts.sizes))
    return _channel_bytes(shape, axis) * np.array([constant, *row], dtype=np.float64)


def _channel_bytes(shape: tuple[int | None, ...], axis: int) -> int:
    """Bytes of one channel of a tensor."""
    return BYTES_PER_VALUE * math.prod(size or 0 for i, size in enumerate(shape) if i not in (0, axis))


def _unsized(node: Node) -> bool:
    return any(None in shape[1:] for shape in node.output_shapes)


def _undominated(forms: Floats) -> Floats:
    """Forms without those that another one exceeds or equals in every coefficient, and that so are never the peak."""
    distinct = np.unique(forms, axis=0)
    # Distinct forms: only the form itself is as large.
    largest = [form for form in distinct if np.sum(np.all(distinct >= form, axis=1)) == 1]
    return np.array(largest).reshape(len(largest), forms.shape[1])
