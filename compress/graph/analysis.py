"""Builds the ChannelGraph of a functional Keras model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from compress.cloning.layers import learned_weights, weight_of
from compress.cloning.user_rules import has_rule
from compress.cloning.walk import Call, as_functional, calls
from compress.graph.channel_graph import ChannelGraph
from compress.graph.convolutions import convolutions
from compress.graph.coupling import Channels, Coupling, Labels
from compress.graph.group import CoupledLabels, Node, WeightSpec
from compress.graph.grouping import form_groups
from compress.graph.rules.layer_rule import LayerCall, LayerRule, Shape, along_last_axis
from compress.graph.rules.layers import different_widths, misfit, obstacle, rule_for, weights_of
from compress.graph.rules.time_distributed import without_time
from compress.graph.sizes import ImageSize, sized_shapes, takes_any_size


def analyse(model: Any, across_normalization: bool = False, image_size: ImageSize | None = None) -> ChannelGraph:
    """Channel groups and decomposable layers of a functional or Sequential Keras model, which is not modified.

    Args:
        model: the model.
        across_normalization: whether channels may go over which a layer normalizes. What is left is then normalized
            with the statistics of the channels that stay: the pruned model is not the original without some channels.
        image_size: of a model that takes images of any size, the size at which its cost is counted. Which channels are
            coupled does not depend on it, so that what is compressed takes any size as well.

    Raises:
        ModelError: for a model that is not built, or a subclassed one whose call cannot be traced, or a rule of
            ``compress.rule`` that does not fit its layer, or a size that the model does not take.
    """
    source = as_functional(model)
    graph = _Analysis(source, across_normalization).graph()
    return graph if image_size is None or not takes_any_size(source) else _sized(graph, source, image_size)


def _sized(graph: ChannelGraph, model: Any, size: ImageSize) -> ChannelGraph:
    """The graph with the shapes that its tensors have at a size of the inputs."""
    shapes = sized_shapes(model, size)
    nodes = tuple(
        _reshaped(
            node,
            tuple(shapes[id(tensor)] for tensor in call.inputs),
            tuple(shapes[id(tensor)] for tensor in call.outputs),
        )
        for node, call in zip(graph.nodes, calls(model), strict=True)
    )
    return replace(graph, nodes=nodes, image_size=size)


def _reshaped(node: Node, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Node:
    """A node with other shapes, and the layer in it with those at one time step."""
    made = replace(node, input_shapes=inputs, output_shapes=outputs)
    if node.inside is None:
        return made
    inner = _reshaped(node.inside, tuple(map(without_time, inputs)), tuple(map(without_time, outputs)))
    return replace(made, inside=inner)


@dataclass(frozen=True)
class _Visit:
    """One call with the channels of its tensors; ``reason`` says why its rule does not hold, None where it does.

    ``exact``: whether it computes the channels that stay as before.
    """

    at: LayerCall
    rule: LayerRule | None
    inputs: tuple[Channels, ...]
    outputs: tuple[Channels, ...]
    reason: str | None
    exact: bool = True
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()


class _Analysis:
    """One pass over the model: provisional labels flow from layer to layer, then coupled ones get one final label."""

    def __init__(self, model: Any, across_normalization: bool) -> None:
        self._across = across_normalization
        self._coupling = Coupling()
        self._channels: dict[int, Channels] = {}
        self._numbers: dict[int, int] = {}
        self._visits: list[_Visit] = []
        self._first: dict[str, _Visit] = {}
        for call in calls(model):
            visit = self._numbered(self._visit(call), call)
            self._visits.append(visit)
            self._first.setdefault(visit.at.layer.name, visit)
            self._channels.update(zip(map(id, call.outputs), visit.outputs, strict=True))
        self._returned = self._numbers_of(model.outputs)
        for output in model.outputs:
            self._coupling.freeze(self._channels[id(output)].labels, "it is an output of the model")

    def _numbered(self, visit: _Visit, call: Call) -> _Visit:
        for tensor in call.outputs:
            self._numbers.setdefault(id(tensor), len(self._numbers))
        return replace(visit, reads=self._numbers_of(call.inputs), writes=self._numbers_of(call.outputs))

    def _numbers_of(self, tensors: Sequence[Any]) -> tuple[int, ...]:
        return tuple(self._numbers[id(tensor)] for tensor in tensors)

    def _visit(self, call: Call) -> _Visit:
        at = LayerCall(call.layer, _shapes(call.inputs), _shapes(call.outputs), call.arguments)
        rule = rule_for(call.layer)
        inputs = tuple(self._channels[id(tensor)] for tensor in call.inputs)
        if rule is not None and not rule.any_axis:
            inputs = tuple(map(self._along_last_axis, call.inputs, inputs, [call.layer] * len(inputs)))
        reason = "it is an input of the model" if call.is_input else self._obstacle(at, rule, inputs)
        exact = rule is None or rule.across(at, inputs) is None
        if rule is not None and reason is None:
            outputs = self._ruled(at, rule, inputs)
            reason = self._misfit(at, rule, inputs, outputs)
            if reason is None:
                return _Visit(at, rule, inputs, outputs, None, exact)
        return _Visit(at, rule, inputs, self._opaque(at, inputs, str(reason)), str(reason), exact)

    def _along_last_axis(self, tensor: Any, channels: Channels, layer: Any) -> Channels:
        """The channels of an input of a layer that needs them last; others are frozen."""
        last = len(tensor.shape) - 1
        if channels.axis == last:
            return channels
        reason = f"'{layer.name}' ({type(layer).__name__}) reads it with its channels not along the last axis"
        self._coupling.freeze(channels.labels, reason)
        return Channels(self._coupling.fixed(int(tensor.shape[last] or 0), reason), last)

    def _obstacle(self, at: LayerCall, rule: LayerRule | None, inputs: tuple[Channels, ...]) -> str | None:
        first = self._first.get(at.layer.name)
        reason = obstacle(at, rule, inputs)
        if reason is None and rule is not None and not self._across:
            reason = rule.across(at, inputs)
        if rule is None or reason is not None or first is None:
            return reason
        if _is_sized(rule) and _layout(first.at.input_shapes, first.inputs) != _layout(at.input_shapes, inputs):
            return different_widths(at.layer)
        return first.reason

    def _misfit(
        self, at: LayerCall, rule: LayerRule, inputs: tuple[Channels, ...], outputs: tuple[Channels, ...]
    ) -> str | None:
        """Why the channels that a rule gives are not those of the call, or not those of the layer's first call."""
        if not _fits(at, rule, inputs, outputs):
            return misfit(at.layer)
        first = self._first.get(at.layer.name)
        if first is None or not _is_sized(rule):
            return None
        if _layout(first.at.output_shapes, first.outputs) != _layout(at.output_shapes, outputs):
            return different_widths(at.layer)
        for earlier, now in zip(first.outputs, outputs, strict=True):
            self._coupling.unify(earlier.labels, now.labels)
        return None

    def _opaque(self, at: LayerCall, inputs: tuple[Channels, ...], reason: str) -> tuple[Channels, ...]:
        """Freeze all that a layer touches whose rule does not hold; every output gets labels of its own."""
        first = self._first.get(at.layer.name)
        for channels in (*inputs, *((*first.inputs, *first.outputs) if first is not None else ())):
            self._coupling.freeze(channels.labels, reason)
        return tuple(self._unknown(shape, reason) for shape in at.output_shapes)

    def _unknown(self, shape: tuple[int | None, ...], reason: str) -> Channels:
        width = shape[-1] if len(shape) > 1 else 0
        return Channels(self._coupling.fixed(int(width or 0), reason), max(len(shape) - 1, 0))

    def _ruled(self, at: LayerCall, rule: LayerRule, inputs: tuple[Channels, ...]) -> tuple[Channels, ...]:
        first = self._first.get(at.layer.name)
        if first is None or not _is_sized(rule):
            return rule.propagate(at, inputs, self._coupling)
        # Shared weights and configuration: whatever is removed at one call is removed at every call.
        for earlier, now in zip(first.inputs, inputs, strict=True):
            self._coupling.unify(earlier.labels, now.labels)
        if rule.any_axis:
            return rule.propagate(at, inputs, self._coupling)
        return along_last_axis(at, first.outputs[0].labels)

    def graph(self) -> ChannelGraph:
        """The graph that the pass has read."""
        labels = self._coupling.labels()
        nodes = tuple(_node(visit, labels, visit is not self._first[visit.at.layer.name]) for visit in self._visits)
        frozen: dict[int, str] = {}
        for label, reason in self._coupling.frozen().items():
            frozen.setdefault(int(labels[label]), reason)
        merges = [i for i, visit in enumerate(self._visits) if visit.rule and visit.rule.merges and visit.inputs[1:]]
        producers = [name for name, visit in self._first.items() if visit.rule and visit.rule.produces]
        groups, excluded = form_groups(nodes, producers, merges, frozen)
        layers = {visit.at.layer.name: visit.at.layer for visit in self._visits}
        decomposable, undecomposable = convolutions(layers, nodes)
        count = int(labels.max()) + 1 if labels.size else 0
        return ChannelGraph(groups, excluded, decomposable, undecomposable, nodes, count, self._returned, self._across)


def _shapes(tensors: tuple[Any, ...]) -> tuple[tuple[int | None, ...], ...]:
    return tuple(tuple(tensor.shape) for tensor in tensors)


def _is_sized(rule: LayerRule) -> bool:
    """Whether a layer of this type has a fixed number of channels, whatever it is called with."""
    return bool(rule.weights or rule.resize or rule.rewrite)


def _fits(at: LayerCall, rule: LayerRule, inputs: tuple[Channels, ...], outputs: tuple[Channels, ...]) -> bool:
    """Whether the rule gives as many channels as the tensors and weights have; else the layer does something else."""
    for channels, shape in zip(outputs, at.output_shapes, strict=True):
        if len(shape) > 1 and channels.size != (shape[channels.axis] or 0):
            return False
    for name, roles in weights_of(at.layer, rule).items():
        for role, size in zip(roles, weight_of(at.layer, name).shape, strict=True):
            if role is not None and _labels_along(role, size, inputs, outputs).size != size:
                return False
    return True


def _layout(shapes: tuple[tuple[int | None, ...], ...], tensors: tuple[Channels, ...]) -> list[tuple[int, int]]:
    """Number of channels of every tensor, and their axis counted from the last."""
    return [(item.size, item.axis - len(shape)) for item, shape in zip(tensors, shapes, strict=True)]


def _node(visit: _Visit, labels: CoupledLabels, repeated: bool) -> Node:
    layer = visit.at.layer
    node = Node(
        layer=layer.name,
        kind=type(layer).__name__,
        inputs=tuple(labels[channels.labels] for channels in visit.inputs),
        outputs=tuple(labels[channels.labels] for channels in visit.outputs),
        input_axes=tuple(channels.axis for channels in visit.inputs),
        axes=tuple(channels.axis for channels in visit.outputs),
        input_shapes=visit.at.input_shapes,
        output_shapes=visit.at.output_shapes,
        reads=visit.reads,
        writes=visit.writes,
        weights=tuple(_weight_specs(visit, labels)),
        pool_size=_window(layer, len(visit.at.output_shape) - 2),
        repeated=repeated,
        understood=visit.reason is None,
        exact=visit.exact,
        ruled_by_user=has_rule(layer),
    )
    understood_inside = visit.reason is None and type(layer) is keras.layers.TimeDistributed
    return replace(node, inside=_at_one_step(node, layer.layer)) if understood_inside else node


def _at_one_step(node: Node, layer: Any) -> Node:
    """What the layer in a ``TimeDistributed`` does at one time step."""
    inputs, outputs = (tuple(map(without_time, shapes)) for shapes in (node.input_shapes, node.output_shapes))
    return replace(
        _reshaped(node, inputs, outputs),
        layer=layer.name,
        kind=type(layer).__name__,
        input_axes=tuple(axis - 1 for axis in node.input_axes),
        axes=tuple(axis - 1 for axis in node.axes),
        weights=tuple(replace(weight, name=weight.name.removeprefix("layer.")) for weight in node.weights),
        pool_size=_window(layer, len(outputs[0]) - 2),
        ruled_by_user=has_rule(layer),
    )


def _window(layer: Any, rank: int) -> tuple[int, ...]:
    """Window of a pooling layer or operation; an operation's may be one number for all axes."""
    size = getattr(layer, "pool_size", ())
    return (size,) * rank if isinstance(size, int) else tuple(size)


def _weight_specs(visit: _Visit, labels: CoupledLabels) -> Iterator[WeightSpec]:
    layer, rule = visit.at.layer, visit.rule
    learned = learned_weights(layer)
    if rule is None or visit.reason is not None:
        named = {} if rule is None else {id(weight_of(layer, name)): name for name in weights_of(layer, rule)}
        for weight in getattr(layer, "weights", ()):
            name, shape = named.get(id(weight), weight.path), tuple(weight.shape)
            yield WeightSpec(name, shape, (None,) * len(shape), id(weight) in learned)
        return
    for name, roles in weights_of(layer, rule).items():
        weight = weight_of(layer, name)
        shape = tuple(weight.shape)
        along = tuple(
            None if role is None else labels[_labels_along(role, size, visit.inputs, visit.outputs)]
            for role, size in zip(roles, shape, strict=True)
        )
        yield WeightSpec(name, shape, along, id(weight) in learned)


def _labels_along(role: str, size: int, inputs: tuple[Channels, ...], outputs: tuple[Channels, ...]) -> Labels:
    """Labels along an axis of a weight: see ``Roles``."""
    if role == "out":
        return outputs[0].labels
    labels = inputs[0].labels
    # "group": a grouped kernel holds the channels of one group; "deep": every channel is there several times.
    return labels[:size] if role == "group" else np.repeat(labels, size // max(labels.size, 1))
