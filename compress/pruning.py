"""Structured pruning: a new, really smaller model in which the weights that stay are untouched."""

from typing import Any

import numpy as np

from compress.analysis import analyse
from compress.graph import ChannelGraph
from compress.group import KeptSlots, Ratios, Site
from compress.importance import group_scores
from compress.layer_copy import copy_layer, copy_weights
from compress.layer_rule import Arguments, LayerRule
from compress.rebuild import rebuild
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
        rule = _rule_that_shrinks(layer, sites[layer.name], kept)
        changes = rule.resize(layer, sites[layer.name], kept) if rule is not None and rule.resize else {}
        return [copy_layer(layer, **changes)]

    def rewritten(layer: Any, arguments: Arguments) -> Arguments:
        rule = _rule_that_shrinks(layer, sites[layer.name], kept)
        return rule.rewrite(arguments, sites[layer.name], kept) if rule is not None and rule.rewrite else arguments

    smaller = rebuild(model, shrunk, rewritten)
    old, new = layers_by_name(model), layers_by_name(smaller)
    for name in old:
        copy_weights(old[name], new[name], _kept_values(old[name], sites[name], kept))
    return smaller


def _rule_that_shrinks(layer: Any, site: Site, kept: KeptSlots) -> LayerRule | None:
    """The rule by which a layer gets smaller, or None where it stays as it is."""
    whole = all(np.all(kept[slots]) for slots in (*site.inputs, *site.outputs))
    return None if whole or not site.understood else rule_for(layer)


def _kept_values(layer: Any, site: Site, kept: KeptSlots) -> dict[str, Any]:
    """The part that stays of every weight that follows channels, by attribute name."""
    values = {}
    for weight in site.weights:
        if any(slots is not None for slots in weight.slots):
            values[weight.name] = np.asarray(getattr(layer, weight.name))
            for axis, slots in enumerate(weight.slots):
                if slots is not None:
                    values[weight.name] = np.compress(kept[slots], values[weight.name], axis=axis)
    return values
