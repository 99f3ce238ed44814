"""Importance of channels: the scores of all layers that lose a filter with the channel, combined."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import CoupledLabels, Group, KeptChannels
from compress.pruning.criterion import Criterion
from compress.pruning.settings import DEFAULT_PRUNING, Policy, PruningSettings, normalized

Floats = NDArray[np.float64]


def group_scores(
    model: Any, graph: ChannelGraph, *groups: Group, settings: PruningSettings = DEFAULT_PRUNING
) -> Floats:
    """Importance of every label of these groups, shape (graph.labels,); zero outside them.

    A layer's scores are normalized over all its channels, combined where several of them share a label, and then
    combined with those of the other layers of the group.
    """
    wanted = _labels_of(graph, groups)
    total, members = np.zeros(graph.labels), np.zeros(graph.labels)
    for layer in settings.criterion.scores(model, graph, wanted):
        values = normalized(layer.values, settings.layer_norm)
        scores, held = _per_label(layer.labels, values, graph.labels, settings.group_policy)
        total += scores
        members += held
    combined = total / np.maximum(members, 1.0) if settings.policy == "average" else total
    return np.where(wanted, combined, 0.0)


def group_energy(
    model: Any, graph: ChannelGraph, group: Group, criterion: Criterion = DEFAULT_PRUNING.criterion
) -> Floats:
    """Sum of squared scores of every label over all members of a group, shape (channels of the group,).

    Under the L2 norm this is the sum of squared weights.
    """
    total = np.zeros(graph.labels)
    for layer in criterion.scores(model, graph, _labels_of(graph, (group,))):
        np.add.at(total, layer.labels, np.square(layer.values))
    return total[np.concatenate(group.subgroups)]


def _labels_of(graph: ChannelGraph, groups: tuple[Group, ...]) -> KeptChannels:
    wanted = np.zeros(graph.labels, dtype=np.bool_)
    for group in groups:
        for subgroup in group.subgroups:
            wanted[subgroup] = True
    return wanted


def _per_label(labels: CoupledLabels, values: Floats, count: int, policy: Policy) -> tuple[Floats, NDArray[np.bool_]]:
    """One layer's score of every label, shape (count,), and which labels it holds, shape (count,)."""
    total, times = np.zeros(count), np.bincount(labels, minlength=count)
    np.add.at(total, labels, values)
    return (total / np.maximum(times, 1) if policy == "average" else total), times > 0
