"""Importance of channels: the L2 norm of the filters that make them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.graph import ChannelGraph
from compress.group import Group, Site
from compress.rules import rule_for

Floats = NDArray[np.float64]

POLICIES: Mapping[str, Callable[[Floats, Floats], Floats]] = MappingProxyType(
    {
        "average": lambda total, members: total / np.maximum(members, 1.0),
        "sum": lambda total, members: total,
    }
)
"""How the members' scores of a channel become the group's score."""


def filter_energy(kernel: NDArray[Any], axis: int) -> Floats:
    """Sum of squared weights of every filter, shape (filters,); ``axis`` is the kernel's axis of filters."""
    others = tuple(i for i in range(kernel.ndim) if i != axis)
    return np.sum(np.square(kernel.astype(np.float64)), axis=others)


def group_scores(model: Any, graph: ChannelGraph, group: Group, policy: str = "average") -> Floats:
    """L2 norm of every slot of a group under a policy, shape (slots of the model,); zero outside the group.

    Members are all layers that lose a filter with the channel: convolutions, dense layers and depthwise convolutions.
    """
    total, members = np.zeros(graph.slots), np.zeros(graph.slots)
    for slots, energy in _members(model, graph, group):
        np.add.at(total, slots, np.sqrt(energy))
        np.add.at(members, slots, 1.0)
    return POLICIES[policy](total, members)


def group_energy(model: Any, graph: ChannelGraph, group: Group) -> Floats:
    """Sum of squared weights of every slot over all members of a group, shape (channels of the group,)."""
    total = np.zeros(graph.slots)
    for slots, energy in _members(model, graph, group):
        np.add.at(total, slots, energy)
    return total[np.concatenate(group.blocks)]


def _members(model: Any, graph: ChannelGraph, group: Group) -> list[tuple[Any, Floats]]:
    slots = np.concatenate(group.blocks)
    members = []
    for site in graph.sites:
        rule = None if site.repeated else rule_for(model.get_layer(site.layer))
        if rule is None or rule.scored is None:
            continue
        weight, role = rule.scored
        if np.isin(site.slots(role), slots).any():
            members.append((site.slots(role), _energy(model, site, weight, role)))
    return members


def _energy(model: Any, site: Site, weight: str, role: str) -> Floats:
    layer = model.get_layer(site.layer)
    spec = site.weight(weight)
    axis = spec.roles.index(role) if spec is not None else -1
    return filter_energy(np.asarray(getattr(layer, weight)), axis)
