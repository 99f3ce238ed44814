"""The L2 norm of filters, as importance of channels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import KeptChannels
from compress.pruning.criterion import Images, LayerScores, filters_of


@dataclass(frozen=True)
class L2Norm:
    """L2 norm of the filter: weak filters go (Li et al., "Pruning filters for efficient ConvNets", ICLR 2017)."""

    def scores(self, model: Any, graph: ChannelGraph, wanted: KeptChannels) -> Iterator[LayerScores]:
        """The norm of every filter; the bias does not count."""
        for layer, labels, kernel, axis in filters_of(model, graph, wanted):
            others = tuple(i for i in range(kernel.ndim) if i != axis)
            yield LayerScores(layer, labels, np.sqrt(np.sum(np.square(kernel), axis=others)))


def criterion(images: Images) -> L2Norm:
    """The criterion; it looks at no images."""
    return L2Norm()
