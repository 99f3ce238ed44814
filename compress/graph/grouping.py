"""Joins producing layers that share channels into groups, names them, and splits their channels into subgroups."""

from collections.abc import Mapping, Sequence

import numpy as np

from compress.graph.coupling import Coupling
from compress.graph.group import CoupledLabels, Exclusion, Group, Node


def form_groups(
    nodes: tuple[Node, ...], producers: Sequence[str], merges: Sequence[int], frozen: Mapping[int, str]
) -> tuple[tuple[Group, ...], tuple[Exclusion, ...]]:
    """Prunable groups, and the excluded ones with their reasons.

    Args:
        nodes: every layer call, with labels, in topological order.
        producers: layers that make new channels, in topological order.
        merges: indices of the nodes that join tensors channel by channel.
        frozen: reason by label for the labels that may not be removed.
    """
    outputs = {node.layer: node.output for node in nodes if not node.repeated}
    components = _components([outputs[name] for name in producers])
    founders = zip(producers, components, strict=True)
    owner = {label: index for name, index in founders for label in outputs[name].tolist()}
    names = _merge_names([nodes[index] for index in merges], owner)
    subgroups = _subgroup_of_labels(nodes)
    groups, excluded = [], []
    for component in sorted(set(components), key=lambda index: _last(components, index)):
        layers = tuple(name for name, index in zip(producers, components, strict=True) if index == component)
        labels = np.unique(np.concatenate([outputs[name] for name in layers]))
        name = names.get(component, layers[-1]) if len(layers) > 1 else layers[-1]
        reason = _reason(labels, max(outputs[name].size for name in layers), frozen)
        if reason is None:
            groups.append(Group(name, layers, _split(labels, subgroups)))
        else:
            excluded.append(Exclusion(name, reason))
    return tuple(groups), tuple(excluded)


def _last(components: Sequence[int], component: int) -> int:
    """Position of a group's last member: residual groups are listed there, as NPTK lists them."""
    return max(position for position, index in enumerate(components) if index == component)


def _components(outputs: Sequence[CoupledLabels]) -> list[int]:
    """For every producer the number of its group: equal where they share a label, directly or through others."""
    coupling = Coupling()
    merges = coupling.fresh(len(outputs))
    owner = np.full(max((int(labels.max()) + 1 for labels in outputs if labels.size), default=0), -1)
    for index, labels in enumerate(outputs):
        known = np.unique(owner[labels])
        coupling.unify(merges[[index]], merges[known[known >= 0]])
        owner[labels] = index
    components: list[int] = coupling.labels().tolist()
    return components


def _merge_names(merges: Sequence[Node], owner: Mapping[int, int]) -> dict[int, str]:
    """The last merge of every group, by the group's number; a merge of several groups names none of them."""
    names = {}
    for node in merges:
        touched = {owner[label] for label in node.output.tolist() if label in owner}
        if len(touched) == 1:
            names[touched.pop()] = node.layer
    return names


def _subgroup_of_labels(nodes: tuple[Node, ...]) -> CoupledLabels:
    """Subgroup of every label, shape (labels,): equal where every tensor holds the two labels equally often."""
    # Most layers pass labels on: each tensor once.
    tensors = {x.tobytes(): x for node in nodes for x in (*node.inputs, *node.outputs)}.values()
    subgroup = np.zeros(max((int(labels.max()) + 1 for labels in tensors if labels.size), default=0), dtype=np.int64)
    fresh = 1
    for tensor in tensors:
        # Refine the partition by one tensor: labels in it leave their subgroups, by old subgroup and number of
        # occurrences.
        labels, times = np.unique(tensor, return_counts=True)
        _, new = np.unique(np.stack([subgroup[labels], times]), axis=1, return_inverse=True)
        subgroup[labels] = fresh + new.ravel()
        fresh += labels.size
    return subgroup


def _split(labels: CoupledLabels, subgroups: CoupledLabels) -> tuple[CoupledLabels, ...]:
    parts = [labels[subgroups[labels] == subgroup] for subgroup in np.unique(subgroups[labels])]
    return tuple(sorted(parts, key=lambda members: int(members[0])))


def _reason(labels: CoupledLabels, widest: int, frozen: Mapping[int, str]) -> str | None:
    for label in labels.tolist():
        if label in frozen:
            return frozen[label]
    if labels.size == 1:
        return "it has a single channel" if widest == 1 else "all its channels are coupled"
    return None
