"""Structured pruning: a new, really smaller model in which the weights that stay are untouched."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.cloning.layer_copy import copy_weights
from compress.cloning.layers import layers_by_name, weight_of
from compress.cloning.nodes import Arguments
from compress.cloning.rebuild import Chain, rebuild
from compress.cloning.walk import as_functional
from compress.cloning.whole_layer import copy_whole
from compress.errors import ParameterError, excerpt
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import CoupledLabels, Group, KeptChannels, Node, Ratios
from compress.graph.rules.layer_rule import LayerRule
from compress.graph.rules.layers import rule_for
from compress.pruning.criterion import Criterion
from compress.pruning.settings import DEFAULT_PRUNING, Policy, PruningSettings, normalized
from compress.pruning.smaller_layer import smaller_layer

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


def labels_without(graph: ChannelGraph, channels: Mapping[str, Sequence[int]]) -> KeptChannels:
    """What stays without the named channels: True for every label that does, shape (graph.labels,).

    Args:
        graph: an analysed model.
        channels: indices of the channels to remove, counted from 0 in the output of the layer that the group is
            named after, by group name.

    Raises:
        ParameterError: an unknown or excluded group, a channel that it does not have or that is named twice, or a
            layer that would lose all its channels.
    """
    kept = np.ones(graph.labels, dtype=np.bool_)
    for name, indices in channels.items():
        output = graph.node(graph.group(name).name).output
        kept[output[_checked(name, indices, output)]] = False
    for node in graph.nodes:
        if any(labels.size and not kept[labels].any() for labels in node.outputs):
            raise ParameterError(f"layer '{node.layer}': expected at least one channel to stay; name fewer channels")
    return kept


def _checked(name: str, indices: Sequence[int], output: CoupledLabels) -> CoupledLabels:
    given = np.asarray(indices)
    if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
        raise ParameterError(f"group '{name}': expected a list of channel indices, received {excerpt(indices)}")
    outside = given[(given < 0) | (given >= output.size)]
    if outside.size:
        raise ParameterError(
            f"group '{name}': expected channels from 0 to {output.size - 1}, received {outside[0]}; correct it"
        )
    values, times = np.unique(given, return_counts=True)
    if values.size < given.size:
        raise ParameterError(f"group '{name}': expected every channel once, received {values[times > 1][0]} twice")
    return given.astype(np.int64)


def prune(model: Any, ratios: Ratios, settings: PruningSettings = DEFAULT_PRUNING) -> Any:
    """Remove from every named group its least important channels, by default those of the smallest L2 norm.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        ratios: fraction of channels to remove, by group name; groups that are not named stay whole.
        settings: how importance is measured, and what the kept channels are rounded to.

    Returns:
        A new functional model, not compiled.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: an unknown or excluded group.
        DataError: images of a criterion that measures feature maps do not fit the model.
    """
    source = as_functional(model)
    graph = analyse(source, settings.across_normalization)
    return remove(source, graph, kept_labels(source, graph, ratios, settings))


def kept_labels(
    model: Any, graph: ChannelGraph, ratios: Ratios, settings: PruningSettings = DEFAULT_PRUNING
) -> KeptChannels:
    """What stays at these ratios: True for every label that does, shape (graph.labels,).

    Args:
        model: the functional model that ``graph`` was made from.
        graph: its analysis.
        ratios: fraction of channels to remove, by group name.
        settings: how importance is measured, and what the kept channels are rounded to.

    Raises:
        ParameterError: an unknown or excluded group.
    """
    groups = [graph.group(name) for name in ratios]
    scores = group_scores(model, graph, *groups, settings=settings)
    return graph.keep(ratios, {group.name: scores for group in groups}, settings.step)


def prune_channels(model: Any, channels: Mapping[str, Sequence[int]], across_normalization: bool = False) -> Any:
    """Remove the named channels, whatever their importance (NetsPresso's pruning by channel index).

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        channels: indices of the channels to remove, counted from 0 in the output of the layer that the group is
            named after, by group name.
        across_normalization: whether channels may go over which a layer normalizes, which is not exact.

    Returns:
        A new functional model, not compiled.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: an unknown or excluded group, a channel that it does not have or that is named twice, or a
            layer that would lose all its channels.
    """
    source = as_functional(model)
    graph = analyse(source, across_normalization)
    return remove(source, graph, labels_without(graph, channels))


def _alone(layer: Any) -> Chain:
    return [layer]


def remove(model: Any, graph: ChannelGraph, kept: KeptChannels, chain_for: Callable[[Any], Chain] = _alone) -> Any:
    """A new model without the channels of the labels that are not kept.

    Args:
        model: the functional model that ``graph`` was made from; it is not modified.
        graph: its analysis.
        kept: True for every label that stays, shape (graph.labels,).
        chain_for: chain of layers for an unbuilt layer that has lost its channels; where that layer is not a part of
            it, the chain's weights are left to the caller.
    """
    nodes = {node.layer: node for node in graph.nodes if not node.repeated}

    def shrunk(layer: Any) -> Chain:
        node = nodes[layer.name]
        shrinks = _rule_that_shrinks(layer, node, kept) is not None
        return chain_for(smaller_layer(layer, node, kept) if shrinks else copy_whole(layer))

    def rewritten(layer: Any, arguments: Arguments) -> Arguments:
        rule = _rule_that_shrinks(layer, nodes[layer.name], kept)
        return rule.rewrite(arguments, nodes[layer.name], kept) if rule is not None and rule.rewrite else arguments

    smaller = rebuild(model, shrunk, rewritten)
    old, new = layers_by_name(model), layers_by_name(smaller)
    for name in old:
        if name in new:
            copy_weights(old[name], new[name], kept_values(old[name], nodes[name], kept))
    return smaller


def _rule_that_shrinks(layer: Any, node: Node, kept: KeptChannels) -> LayerRule | None:
    """The rule by which a layer gets smaller, or None where it stays as it is."""
    whole = all(np.all(kept[labels]) for labels in (*node.inputs, *node.outputs))
    return None if whole or not node.understood else rule_for(layer)


def kept_values(layer: Any, node: Node, kept: KeptChannels) -> dict[str, NDArray[Any]]:
    """The part that stays of every weight that follows channels, by attribute name."""
    values = {}
    for weight in node.weights:
        if any(labels is not None for labels in weight.labels):
            values[weight.name] = np.asarray(weight_of(layer, weight.name))
            for axis, labels in enumerate(weight.labels):
                if labels is not None:
                    values[weight.name] = np.compress(kept[labels], values[weight.name], axis=axis)
    return values
