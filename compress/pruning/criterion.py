"""The interface of pruning criteria, which score the channels of a model layer by layer; ``criteria`` holds them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.cloning.layers import layers_by_name, weight_of
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import CoupledLabels, KeptChannels, Node
from compress.graph.rules.layer_rule import LayerRule
from compress.graph.rules.layers import rule_for

Floats = NDArray[np.float64]


Images = Callable[[], tuple[NDArray[Any], ...]]
"""Makes normalized images for the inputs of a model, shape (images, ...) each, for criteria that look at images."""


@dataclass(frozen=True, eq=False)
class LayerScores:
    """Importance of every channel of one layer.

    Attributes:
        layer: its name.
        labels: label of every channel, shape (channels,).
        values: importance, at least 0, shape (channels,).
    """

    layer: str
    labels: CoupledLabels
    values: Floats


class Criterion(Protocol):
    """Scores the layers that lose a filter with a channel: convolutions, dense layers, depthwise convolutions."""

    def scores(self, model: Any, graph: ChannelGraph, wanted: KeptChannels) -> Iterable[LayerScores]:
        """Scores of every such layer that holds at least one wanted label.

        Args:
            model: the functional model that ``graph`` was made from.
            graph: its analysis.
            wanted: True for the labels whose importance is asked for, shape (graph.labels,).
        """


def scored_nodes(model: Any, graph: ChannelGraph, wanted: KeptChannels) -> Iterator[tuple[Node, Any, LayerRule]]:
    """The layers that lose a filter with one of the wanted labels: node, Keras layer, rule."""
    layers = layers_by_name(model)
    for node in graph.nodes:
        rule = rule_for(layers.get(node.layer))
        if rule is None or rule.scored is None or node.repeated or not node.understood:
            continue
        if wanted[node.labels(rule.scored[1])].any():
            yield node, layers[node.layer], rule


def filters_of(
    model: Any, graph: ChannelGraph, wanted: KeptChannels
) -> Iterator[tuple[str, CoupledLabels, Floats, int]]:
    """Layers that hold a wanted label: name, label of every filter, kernel, and the kernel's axis of filters."""
    for node, layer, rule in scored_nodes(model, graph, wanted):
        if rule.scored is not None:
            name, role = rule.scored
            kernel = np.asarray(weight_of(layer, name)).astype(np.float64)
            yield node.layer, node.labels(role), kernel, rule.weights[name].index(role)
