"""Builds the ChannelGraph of a functional Keras model."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras

from compress.graph import ChannelGraph
from compress.group import Decomposable, Exclusion, Site, Slots, WeightSpec
from compress.grouping import form_groups
from compress.naming import SUFFIXES
from compress.rules import LayerCall, LayerRule, obstacle, rule_for, weights_of
from compress.slot_space import Labels, SlotSpace
from compress.walk import Call, as_functional, calls

WIDEST_IMAGE = 3
"""Convolutions that read a model's input of this many channels or fewer are never decomposed, as in NPTK."""


def analyse(model: Any) -> ChannelGraph:
    """Channel groups and decomposable layers of a functional or Sequential Keras model, which is not modified.

    Raises:
        ModelError: for a subclassed or unbuilt model.
    """
    return _Analysis(as_functional(model)).graph()


class _Analysis:
    """One pass over the model: first labels flow from layer to layer, then equal labels become slots."""

    def __init__(self, model: Any) -> None:
        self._space = SlotSpace()
        self._labels: dict[int, Labels] = {}
        self._sites: list[Site] = []
        self._first_calls: dict[str, Site] = {}
        self._layers: dict[str, Any] = {}
        self._producers: list[str] = []
        self._merges: list[int] = []
        for call in calls(model):
            self._visit(call)
        for output in model.outputs:
            self._space.freeze(self._labels[id(output)], "it is an output of the model")

    def _visit(self, call: Call) -> None:
        inputs = tuple(self._labels[id(tensor)] for tensor in call.inputs)
        at = LayerCall(call.layer, tuple(tuple(t.shape) for t in call.inputs), tuple(call.outputs[0].shape))
        rule = rule_for(call.layer)
        reason = "it is an input of the model" if call.is_input else obstacle(at, rule)
        if rule is None or reason is not None:
            output = self._opaque(call, inputs, str(reason))
        else:
            output = self._ruled(at, rule, inputs)
            self._labels[id(call.outputs[0])] = output
        self._record(at, rule, inputs, output, understood=reason is None)

    def _opaque(self, call: Call, inputs: tuple[Labels, ...], reason: str) -> Labels:
        """Freeze all that a layer touches whose rule does not hold; every output gets labels of its own."""
        for labels in inputs:
            self._space.freeze(labels, reason)
        for tensor in call.outputs:
            width = tensor.shape[-1] if len(tensor.shape) > 1 else 0
            self._labels[id(tensor)] = self._space.fresh(int(width or 0))
            self._space.freeze(self._labels[id(tensor)], reason)
        return self._labels[id(call.outputs[0])]

    def _ruled(self, at: LayerCall, rule: LayerRule, inputs: tuple[Labels, ...]) -> Labels:
        first = self._first_calls.get(at.layer.name)
        if first is not None and rule.weights:
            # Shared weights: whatever is removed at one call is removed at every call.
            self._space.unify(first.inputs[0], inputs[0])
            return first.output
        return rule.propagate(at, inputs, self._space)

    def _record(
        self, at: LayerCall, rule: LayerRule | None, inputs: tuple[Labels, ...], output: Labels, *, understood: bool
    ) -> None:
        name = at.layer.name
        repeated = name in self._first_calls
        if rule is not None and rule.merges:
            self._merges.append(len(self._sites))
        if rule is not None and rule.width and not repeated:
            self._producers.append(name)
        site = Site(
            layer=name,
            kind=type(at.layer).__name__,
            inputs=inputs,
            output=output,
            input_shapes=at.input_shapes,
            output_shape=at.output_shape,
            weights=tuple(_weight_specs(at.layer, rule if understood else None)),
            pool_size=tuple(getattr(at.layer, "pool_size", ())),
            repeated=repeated,
            understood=understood,
        )
        self._sites.append(site)
        self._first_calls.setdefault(name, site)
        self._layers[name] = at.layer

    def graph(self) -> ChannelGraph:
        """What the pass has found."""
        slots = self._space.slots()
        sites = tuple(_with_slots(site, slots) for site in self._sites)
        frozen: dict[int, str] = {}
        for label, reason in self._space.frozen().items():
            frozen.setdefault(int(slots[label]), reason)
        groups, excluded = form_groups(sites, self._producers, self._merges, frozen)
        decomposable, undecomposable = _convolutions(self._layers, sites)
        count = int(slots.max()) + 1 if slots.size else 0
        return ChannelGraph(groups, excluded, decomposable, undecomposable, sites, count)


def _weight_specs(layer: Any, rule: LayerRule | None) -> Iterator[WeightSpec]:
    if rule is None:
        for weight in getattr(layer, "weights", ()):
            shape = tuple(weight.shape)
            yield WeightSpec(weight.path, shape, (None,) * len(shape), weight.trainable)
        return
    for name, roles in weights_of(layer, rule).items():
        weight = getattr(layer, name)
        yield WeightSpec(name, tuple(weight.shape), roles, weight.trainable)


def _with_slots(site: Site, slots: Slots) -> Site:
    return replace(site, inputs=tuple(slots[labels] for labels in site.inputs), output=slots[site.output])


def _convolutions(
    layers: dict[str, Any], sites: tuple[Site, ...]
) -> tuple[tuple[Decomposable, ...], tuple[Exclusion, ...]]:
    decomposable, excluded = [], []
    received = {slot for site in sites if site.kind == "InputLayer" for slot in site.output.tolist()}
    for site in sites:
        layer = layers[site.layer]
        if site.repeated or type(layer) not in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D):
            continue
        reason = _undecomposable_reason(layer, site, received)
        if reason is None:
            decomposable.append(Decomposable(site.layer, site.inputs[0].size, site.output.size))
        else:
            excluded.append(Exclusion(site.layer, reason))
    return tuple(decomposable), tuple(excluded)


def _undecomposable_reason(layer: Any, site: Site, received: set[int]) -> str | None:
    if site.kind == "DepthwiseConv2D":
        return "a depthwise convolution does not mix channels"
    if site.layer.endswith(SUFFIXES):
        return "it is already a part of a decomposed convolution"
    if layer.groups != 1:
        return f"it is a grouped convolution (groups={layer.groups})"
    if layer.data_format != "channels_last":
        return f"it uses data_format='{layer.data_format}'; only 'channels_last' is supported"
    if not site.understood:
        return "it holds weights that its type does not have"
    # Only images: a layer that pruning has left with as few channels may still have been given ranks.
    if site.inputs[0].size <= WIDEST_IMAGE and received.issuperset(site.inputs[0].tolist()):
        return f"it reads the model's input, of only {site.inputs[0].size} channels"
    return None
