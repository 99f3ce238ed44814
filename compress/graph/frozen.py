"""Frozen layers of a model, and those of them that compression changes and that must be trained to repair it."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from compress.cloning.layers import learned_weights
from compress.cloning.walk import as_functional
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.parameters import DECOMPOSE, PRUNE, Stage


def frozen_layers(model: Any) -> tuple[str, ...]:
    """Names of the layers of a functional model that have weights which training leaves alone, in the model's order.

    That is, frozen layers with weights, and those that hold single frozen ones, as a wrapper does of a frozen layer;
    all that have weights where the model is frozen as a whole.
    """
    return tuple(
        layer.name for layer in model.layers if _holds_frozen(layer) or (layer.weights and not model.trainable)
    )


def _holds_frozen(layer: Any) -> bool:
    learned = learned_weights(layer)
    alone = any(id(weight) in learned and not weight.trainable for weight in layer.weights)
    return alone or bool(layer.weights and not layer.trainable)


def changeable_layers(graph: ChannelGraph, recipe: Sequence[Stage]) -> frozenset[str]:
    """Names of the layers whose weights pruning or decomposition can change, as far as they are in the recipe."""
    names: set[str] = set()
    if PRUNE in recipe and graph.groups:
        prunable = np.concatenate([labels for group in graph.groups for labels in group.subgroups])
        names |= {
            node.layer
            for node in graph.nodes
            for weight in node.weights
            if any(labels is not None and np.isin(labels, prunable).any() for labels in weight.labels)
        }
    if DECOMPOSE in recipe:
        names |= {layer.layer for layer in graph.decomposable}
    return frozenset(names)


def unfrozen(model: Any, recipe: Sequence[Stage], across_normalization: bool = False) -> Any:
    """The model as a functional one, in which every layer that the recipe can change is trainable.

    Its other layers are as they were. The layers are those of `model`, whose own flags change with it, unless it holds
    other models.

    Args:
        model: a functional or Sequential model.
        recipe: the stages.
        across_normalization: whether channels may go over which a layer normalizes.

    Raises:
        ModelError: the model's layer graph cannot be read.
    """
    functional = as_functional(model)
    frozen = frozen_layers(functional)
    changed = changeable_layers(analyse(functional, across_normalization), recipe).intersection(frozen)
    if changed:
        _set_trainable(functional, frozen, changed)
    return functional


def _set_trainable(model: Any, frozen: Collection[str], changed: Collection[str]) -> None:
    left = set(frozen).difference(changed)
    if not model.trainable:
        model.trainable = True  # And so is every layer, for now.
        for layer in model.layers:
            layer.trainable = layer.name not in left
    for layer in model.layers:
        if layer.name in changed:
            layer.trainable = (
                False  # Where it is True already, setting it to that would not reach what is in the layer.
            )
            layer.trainable = True
