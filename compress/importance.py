"""Importance of channels: the L2 norm of the filters that make them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.graph import ChannelGraph
from compress.group import Group, Slots
from compress.rules import rule_for
from compress.walk import layers_by_name

Floats = NDArray[np.float64]


def filter_energy(kernel: NDArray[Any], axis: int) -> Floats:
    """Sum of squared weights of every filter, shape (filters,); ``axis`` is the kernel's axis of filters."""
    others = tuple(i for i in range(kernel.ndim) if i != axis)
    energy: Floats = np.sum(np.square(kernel.astype(np.float64)), axis=others)
    return energy


def group_scores(model: Any, graph: ChannelGraph, group: Group) -> Floats:
    """L2 norm of every slot of a group, averaged over its members, shape (graph.slots,); zero outside the group.

    Members are all layers that lose a filter with the channel: convolutions, dense layers and depthwise convolutions.
    Adding the members' norms instead would rank the same channels lowest: within a block all have as many members.
    """
    total, members = np.zeros(graph.slots), np.zeros(graph.slots)
    for slots, energy in _members(model, graph, group):
        np.add.at(total, slots, np.sqrt(energy))
        np.add.at(members, slots, 1.0)
    return total / np.maximum(members, 1.0)


def group_energy(model: Any, graph: ChannelGraph, group: Group) -> Floats:
    """Sum of squared weights of every slot over all members of a group, shape (channels of the group,)."""
    total = np.zeros(graph.slots)
    for slots, energy in _members(model, graph, group):
        np.add.at(total, slots, energy)
    return total[np.concatenate(group.blocks)]


def _members(model: Any, graph: ChannelGraph, group: Group) -> Iterator[tuple[Slots, Floats]]:
    slots = np.concatenate(group.blocks)
    layers = layers_by_name(model)
    for site in graph.sites:
        rule = rule_for(layers.get(site.layer))
        if rule is None or rule.scored is None or site.repeated or not site.understood:
            continue
        weight, role = rule.scored
        mine = np.isin(site.slots(role), slots)
        if mine.any():
            energy = filter_energy(np.asarray(getattr(layers[site.layer], weight)), rule.weights[weight].index(role))
            yield site.slots(role)[mine], energy[mine]
