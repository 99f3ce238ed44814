"""PruningSettings: which channels go, once a ratio says how many."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from compress.cloning.walk import as_functional
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import KeptChannels
from compress.parameters import SINGLE_CHANNELS, ChannelStep
from compress.pruning.criteria.l2_norm import L2Norm
from compress.pruning.criterion import Criterion, LayerScores

Floats = NDArray[np.float64]
LayerNorm = Literal["none", "standard_score", "tss_norm", "linear_scaling", "softmax_norm"]


def normalized(scores: Floats, norm: LayerNorm) -> Floats:
    """Scores of all channels of one layer on a common scale, shape (channels,).

    The names are NetsPresso's (PyNetsPresso, "Pruning Options"). Every one keeps the order of the layer's channels;
    equal scores, which have no scale, become zeros (``softmax_norm``: equal shares).

    - ``none``: as they are.
    - ``standard_score``: (x - mean) / standard deviation.
    - ``tss_norm``: total sum scaling, x / sum of all x.
    - ``linear_scaling``: (x - min) / (max - min), in [0, 1].
    - ``softmax_norm``: exp(x) / sum of all exp(x).
    """
    return _NORMS[norm](scores)


def _unchanged(scores: Floats) -> Floats:
    return scores


def _standard_score(scores: Floats) -> Floats:
    return _divided(scores - scores.mean(), float(scores.std()) if np.ptp(scores) > 0 else 0.0)


def _total_sum_scaling(scores: Floats) -> Floats:
    return _divided(scores, float(scores.sum()))


def _linear_scaling(scores: Floats) -> Floats:
    return _divided(scores - scores.min(), float(np.ptp(scores)))


def _softmax(scores: Floats) -> Floats:
    # Less the largest: exp cannot overflow.
    powers = np.exp(scores - scores.max())
    return _divided(powers, float(powers.sum()))


def _divided(scores: Floats, scale: float) -> Floats:
    return scores / scale if scale else np.zeros_like(scores)


_NORMS: Mapping[LayerNorm, Callable[[Floats], Floats]] = {
    "none": _unchanged,
    "standard_score": _standard_score,
    "tss_norm": _total_sum_scaling,
    "linear_scaling": _linear_scaling,
    "softmax_norm": _softmax,
}


@dataclass(frozen=True)
class MeasuredScores:
    """Scores that were measured before, on the very same model: a search prunes one model many times."""

    layers: tuple[LayerScores, ...]

    @classmethod
    def of(cls, criterion: Criterion, model: Any, graph: ChannelGraph) -> Self:
        """The scores of all layers of a model under a criterion."""
        return cls(tuple(criterion.scores(model, graph, np.ones(graph.labels, dtype=np.bool_))))

    def scores(self, model: Any, graph: ChannelGraph, wanted: KeptChannels) -> Iterator[LayerScores]:
        """The known scores."""
        return (layer for layer in self.layers if wanted[layer.labels].any())


Policy = Literal["average", "sum"]


@dataclass(frozen=True)
class PruningSettings:
    """How channels are scored and how many of them may stay; the names are NetsPresso's.

    Attributes:
        criterion: importance of the channels of one layer.
        layer_norm: scaling of each layer's scores before layers are combined.
        group_policy: how channels of one layer that stand or fall together are combined, for instance those at the
            same place in every group of a grouped convolution. NetsPresso's ``count`` and ``none`` choose other
            channels in each group; tuckprune couples them by their place.
        policy: how the layers of a group are combined. The channels that are compared, those of a subgroup, are held by
            equally many layers, so average and sum remove the same ones.
        step: what the kept channels are rounded to.
        across_normalization: whether channels may go over which a layer normalizes, as layer normalization does; what
            is left is normalized with its own statistics then, so that pruning is not exact.
    """

    criterion: Criterion = L2Norm()
    layer_norm: LayerNorm = "none"
    group_policy: Policy = "average"
    policy: Policy = "average"
    step: ChannelStep = SINGLE_CHANNELS
    across_normalization: bool = False

    def measured(self, model: Any) -> Self:
        """These settings with a criterion that knows the scores of this model, for one that is pruned many times."""
        source = as_functional(model)
        graph = analyse(source, self.across_normalization)
        return replace(self, criterion=MeasuredScores.of(self.criterion, source, graph))


DEFAULT_PRUNING = PruningSettings()
"""The weakest filters by L2 norm go, as NPTK's Simple mode removes them."""
