"""Structured pruning: a new, really smaller model in which the weights that stay are untouched."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.analysis import analyse
from compress.graph import ChannelGraph
from compress.group import KeptSlots, Ratios, Site, WeightSpec
from compress.importance import group_scores
from compress.rebuild import Chain, copy_layer, rebuild
from compress.rules import rule_for
from compress.walk import as_functional, layers_by_name


def prune(model: Any, ratios: Ratios, *, multiple: int = 1) -> Any:
    """Remove from every named group the channels with the smallest L2 norm (Li et al. 2017).

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        ratios: fraction of channels to remove, by group name; groups that are not named stay whole.
        multiple: kept channels are rounded up to a multiple of it.

    Returns:
        A new functional model, not compiled.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: an unknown or excluded group.
    """
    source = as_functional(model)
    graph = analyse(source)
    return remove(source, graph, kept_slots(source, graph, ratios, multiple))


def kept_slots(model: Any, graph: ChannelGraph, ratios: Ratios, multiple: int = 1) -> KeptSlots:
    """What stays at these ratios: True for every slot that does, shape (graph.slots,).

    Raises:
        ParameterError: an unknown or excluded group.
    """
    groups = [graph.group(name) for name in ratios]
    scores = {group.name: group_scores(model, graph, group) for group in groups}
    return graph.keep(ratios, scores, multiple)


def _alone(layer: Any) -> Chain:
    return [layer]


def remove(model: Any, graph: ChannelGraph, kept: KeptSlots, chain_for: Callable[[Any], Chain] = _alone) -> Any:
    """A new model without the channels of the slots that are not kept.

    Args:
        model: the functional model that ``graph`` was made from; it is not modified.
        graph: its analysis.
        kept: True for every slot that stays, shape (graph.slots,).
        chain_for: chain of layers for an unbuilt layer that has lost its channels; where that layer is not a part of
            it, the chain's weights are left to the caller.
    """
    sites = {site.layer: site for site in graph.sites if not site.repeated}

    def shrunk(layer: Any) -> Chain:
        rule, site = rule_for(layer), sites[layer.name]
        if rule is None or rule.width is None or not site.understood:
            return chain_for(copy_layer(layer))
        return chain_for(copy_layer(layer, **{rule.width: int(kept[site.output].sum())}))

    smaller = rebuild(model, shrunk)
    old, new = layers_by_name(model), layers_by_name(smaller)
    for name in old:
        if name in new:
            _copy_weights(old[name], new[name], sites[name], kept)
    return smaller


def _copy_weights(old: Any, new: Any, site: Site, kept: KeptSlots) -> None:
    if not any(role for weight in site.weights for role in weight.roles):
        new.set_weights(old.get_weights())
        return
    for weight in site.weights:
        getattr(new, weight.name).assign(kept_values(old, weight, site, kept))


def kept_values(layer: Any, weight: WeightSpec, site: Site, kept: KeptSlots) -> NDArray[Any]:
    """A weight of a layer without the channels of the slots that are not kept."""
    value = np.asarray(getattr(layer, weight.name))
    for axis, role in enumerate(weight.roles):
        if role is not None:
            value = np.compress(kept[site.slots(role)], value, axis=axis)
    return value
