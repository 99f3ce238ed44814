"""Builds the ChannelGraph of a functional Keras model."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compress.graph import ChannelGraph
from compress.group import Decomposable, Exclusion, Group, Site, Slots, WeightSpec
from compress.naming import SUFFIXES
from compress.rules import LayerCall, LayerRule, rule_for
from compress.slot_space import Labels, SlotSpace
from compress.walk import Call, as_functional, calls

SMALLEST_DECOMPOSABLE_INPUT = 4
"""Convolutions on fewer input channels (images) are never decomposed, as in NPTK."""


def analyse(model: Any) -> ChannelGraph:
    """Channel groups and decomposable layers of a functional or Sequential Keras model, which is not modified.

    Raises:
        ModelError: for a subclassed or unbuilt model.
    """
    return _Analysis(as_functional(model)).graph()


class _Analysis:
    """One pass over the model: first labels flow from layer to layer, then equal labels become slots."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._space = SlotSpace()
        self._labels: dict[int, Labels] = {}
        self._sites: list[Site] = []
        self._first_calls: dict[str, Site] = {}
        self._producers: list[str] = []
        self._merges: list[int] = []
        for call in calls(model):
            self._visit(call)
        for output in model.outputs:
            self._space.freeze(self._labels[id(output)], "it is an output of the model")

    def _visit(self, call: Call) -> None:
        inputs = tuple(self._labels[id(tensor)] for tensor in call.inputs)
        rule = None if call.is_input else _usable_rule(call.layer)
        if rule is None:
            output = self._opaque(call, inputs)
        else:
            output = self._ruled(call, rule, inputs)
            self._labels[id(call.outputs[0])] = output
        self._record(call, rule, inputs, output)

    def _opaque(self, call: Call, inputs: tuple[Labels, ...]) -> Labels:
        """Freeze all that a layer without a rule touches; every output gets labels of its own."""
        reason = "it is an input of the model" if call.is_input else _opaque_reason(call.layer)
        for labels in inputs:
            self._space.freeze(labels, reason)
        for tensor in call.outputs:
            width = tensor.shape[-1] if len(tensor.shape) > 1 else 0
            self._labels[id(tensor)] = self._space.fresh(int(width or 0))
            self._space.freeze(self._labels[id(tensor)], reason)
        return self._labels[id(call.outputs[0])]

    def _ruled(self, call: Call, rule: LayerRule, inputs: tuple[Labels, ...]) -> Labels:
        at = LayerCall(call.layer, tuple(t.shape for t in call.inputs), call.outputs[0].shape)
        first = self._first_calls.get(call.layer.name)
        if first is not None and rule.weights:
            # Shared weights: whatever is removed at one call is removed at every call.
            self._space.unify(first.inputs[0], inputs[0])
            return first.output
        output = rule.propagate(at, inputs, self._space)
        if getattr(call.layer, "data_format", "channels_last") == "channels_first":
            reason = f"'{call.layer.name}' uses data_format='channels_first'; only 'channels_last' is supported"
            for labels in (*inputs, output):
                self._space.freeze(labels, reason)
        return output

    def _record(self, call: Call, rule: LayerRule | None, inputs: tuple[Labels, ...], output: Labels) -> None:
        name = call.layer.name
        repeated = name in self._first_calls
        if rule is not None and rule.merges:
            self._merges.append(len(self._sites))
        if rule is not None and rule.width and not repeated:
            self._producers.append(name)
        site = Site(
            layer=name,
            kind=type(call.layer).__name__,
            inputs=inputs,
            output=output,
            input_shapes=tuple(tuple(tensor.shape) for tensor in call.inputs),
            output_shape=tuple(call.outputs[0].shape),
            weights=tuple(_weight_specs(call.layer, rule)),
            pool_size=tuple(getattr(call.layer, "pool_size", ())),
            repeated=repeated,
        )
        self._sites.append(site)
        self._first_calls.setdefault(name, site)

    def graph(self) -> ChannelGraph:
        slots = self._space.slots()
        sites = tuple(_with_slots(site, slots) for site in self._sites)
        frozen = {int(slots[label]): reason for label, reason in self._space.frozen().items()}
        groups, excluded = [], []
        for group in self._groups(sites):
            reason = _frozen_reason(group, frozen)
            if reason is None:
                groups.append(group)
            else:
                excluded.append(Exclusion(group.name, reason))
        decomposable, undecomposable = _convolutions(self._model, sites)
        count = int(slots.max()) + 1 if slots.size else 0
        return ChannelGraph(tuple(groups), tuple(excluded), decomposable, undecomposable, sites, count)

    def _groups(self, sites: tuple[Site, ...]) -> list[Group]:
        by_layer = {site.layer: site for site in sites if not site.repeated}
        merged = [(sites[index].layer, set(sites[index].output.tolist())) for index in self._merges]
        usage = _usage(sites)
        groups = []
        for layers in _joined([(name, by_layer[name].output) for name in self._producers]):
            slots = np.unique(np.concatenate([by_layer[name].output for name in layers]))
            members = set(slots.tolist())
            merges = [name for name, touched in merged if touched & members]
            name = merges[-1] if len(layers) > 1 and merges else layers[-1]
            groups.append(Group(name, tuple(layers), _blocks(slots, usage)))
        # As NPTK lists them: a residual group stands where its last member does.
        order = {name: position for position, name in enumerate(self._producers)}
        return sorted(groups, key=lambda group: order[group.layers[-1]])


def _usable_rule(layer: Any) -> LayerRule | None:
    rule = rule_for(layer)
    if rule is None:
        return None
    known = [name for name in rule.weights if getattr(layer, name, None) is not None]
    return rule if len(known) == len(layer.weights) else None


def _opaque_reason(layer: Any) -> str:
    if rule_for(layer) is not None:
        return f"'{layer.name}' ({type(layer).__name__}) holds weights that its type does not have"
    return f"it touches '{layer.name}', a layer of a type that is not understood ({type(layer).__name__})"


def _weight_specs(layer: Any, rule: LayerRule | None) -> Iterator[WeightSpec]:
    if rule is None:
        for weight in getattr(layer, "weights", ()):
            shape = tuple(weight.shape)
            yield WeightSpec(weight.path, shape, (None,) * len(shape), weight.trainable)
        return
    for name, roles in rule.weights.items():
        weight = getattr(layer, name, None)
        if weight is not None:
            yield WeightSpec(name, tuple(weight.shape), roles, weight.trainable)


def _with_slots(site: Site, slots: Slots) -> Site:
    return replace(site, inputs=tuple(slots[labels] for labels in site.inputs), output=slots[site.output])


def _joined(producers: list[tuple[str, Slots]]) -> list[list[str]]:
    """Producers that share a slot, directly or through others, in one list."""
    space = SlotSpace()
    nodes = space.fresh(len(producers))
    owner: dict[int, int] = {}
    for index, (_, slots) in enumerate(producers):
        for slot in slots.tolist():
            space.unify(nodes[[owner.setdefault(slot, index)]], nodes[[index]])
    components: dict[int, list[str]] = {}
    for (name, _), component in zip(producers, space.slots().tolist(), strict=True):
        components.setdefault(component, []).append(name)
    return list(components.values())


def _usage(sites: tuple[Site, ...]) -> Any:
    """How often every tensor holds every slot, shape (tensors, slots)."""
    arrays = [slots for site in sites for slots in (*site.inputs, site.output)]
    count = max((int(slots.max()) + 1 for slots in arrays if slots.size), default=0)
    return np.stack([np.bincount(slots, minlength=count) for slots in arrays])


def _blocks(slots: Slots, usage: Any) -> tuple[Slots, ...]:
    rows = usage[:, slots]
    _, block = np.unique(rows[rows.any(axis=1)], axis=1, return_inverse=True)
    found = [slots[block.ravel() == index] for index in range(int(block.max()) + 1)]
    return tuple(sorted(found, key=lambda members: int(members[0])))


def _frozen_reason(group: Group, frozen: dict[int, str]) -> str | None:
    for block in group.blocks:
        for slot in block.tolist():
            if slot in frozen:
                return frozen[slot]
    return "it has a single channel" if group.channels == 1 else None


def _convolutions(model: Any, sites: tuple[Site, ...]) -> tuple[tuple[Decomposable, ...], tuple[Exclusion, ...]]:
    decomposable, excluded = [], []
    for site in sites:
        layer = model.get_layer(site.layer)
        if site.repeated or type(layer) not in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D):
            continue
        reason = _undecomposable_reason(layer, site)
        if reason is None:
            decomposable.append(Decomposable(site.layer, site.inputs[0].size, site.output.size))
        else:
            excluded.append(Exclusion(site.layer, reason))
    return tuple(decomposable), tuple(excluded)


def _undecomposable_reason(layer: Any, site: Site) -> str | None:
    if site.kind == "DepthwiseConv2D":
        return "a depthwise convolution does not mix channels"
    if site.layer.endswith(SUFFIXES):
        return "it is already a part of a decomposed convolution"
    if layer.groups != 1:
        return f"it is a grouped convolution (groups={layer.groups})"
    if layer.data_format != "channels_last":
        return f"it uses data_format={layer.data_format!r}; only 'channels_last' is supported"
    if site.inputs[0].size < SMALLEST_DECOMPOSABLE_INPUT:
        return f"it has only {site.inputs[0].size} input channels"
    return None
