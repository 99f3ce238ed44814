"""Structured pruning: a new, really smaller model in which the weights that stay are untouched."""

from typing import Any

import numpy as np

from compress.analysis import analyse
from compress.graph import ChannelGraph
from compress.group import KeptSlots, Ratios, Site
from compress.importance import group_scores
from compress.rebuild import copy_layer, rebuild
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
    groups = [graph.group(name) for name in ratios]
    scores = {group.name: group_scores(source, graph, group) for group in groups}
    return remove(source, graph, graph.keep(ratios, scores, multiple))


def remove(model: Any, graph: ChannelGraph, kept: KeptSlots) -> Any:
    """A new model without the channels of the slots that are not kept.

    Args:
        model: the functional model that ``graph`` was made from; it is not modified.
        graph: its analysis.
        kept: True for every slot that stays, shape (graph.slots,).
    """
    sites = {site.layer: site for site in graph.sites if not site.repeated}

    def shrunk(layer: Any) -> list[Any]:
        rule, site = rule_for(layer), sites[layer.name]
        if rule is None or rule.width is None or not site.understood:
            return [copy_layer(layer)]
        return [copy_layer(layer, **{rule.width: int(kept[site.output].sum())})]

    smaller = rebuild(model, shrunk)
    old, new = layers_by_name(model), layers_by_name(smaller)
    for name in old:
        _copy_weights(old[name], new[name], sites[name], kept)
    return smaller


def _copy_weights(old: Any, new: Any, site: Site, kept: KeptSlots) -> None:
    if not any(role for weight in site.weights for role in weight.roles):
        new.set_weights(old.get_weights())
        return
    for weight in site.weights:
        value = np.asarray(getattr(old, weight.name))
        for axis, role in enumerate(weight.roles):
            if role is not None:
                value = np.compress(kept[site.slots(role)], value, axis=axis)
        getattr(new, weight.name).assign(value)
