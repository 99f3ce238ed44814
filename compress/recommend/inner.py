"""One ratio for the layers within residual blocks; what the blocks add to stays whole while that is enough."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from compress.cloning.walk import as_functional
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Exclusion, Group
from compress.graph.sizes import ImageSize
from compress.parameters import ChannelStep
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings
from compress.recommend.recommend import RecommendedRatios, rounded_ratio

SUMS_WHOLE = 0.8
"""Ratio of the layers within blocks up to which nothing is taken from the sums; all are pruned alike at 1."""

_SUMS = ("Add", "Subtract", "Average", "Maximum", "Minimum")
"""Classes of layers, and of Keras's operations, that join a block to its shortcut; not the product with a gate."""


@dataclass(frozen=True)
class InnerRatios:
    """Equal ratios for the groups within residual blocks of one model, by no weight and no image.

    The channels that blocks add to are read by every block behind them, while those within a block matter to it alone.

    Attributes:
        graph: the analysed model.
        sums: names of the groups that blocks add to; empty where all groups are such, or none.
        step: what the kept channels are rounded to.
    """

    graph: ChannelGraph
    sums: frozenset[str]
    step: ChannelStep

    @classmethod
    def of(cls, model: Any, settings: PruningSettings = DEFAULT_PRUNING, image_size: ImageSize | None = None) -> Self:
        """The ratios of a functional or Sequential model, whose graph is for this size of images.

        Raises:
            ModelError: the model's layer graph cannot be read.
        """
        source = as_functional(model)
        graph = analyse(source, settings.across_normalization, image_size)
        operations = {operation.name: operation for operation in source.operations}
        sums = frozenset(group.name for group in graph.groups if _is_sum(group, operations))
        return cls(graph, frozenset() if len(sums) == len(graph.groups) else sums, settings.step)

    def at(self, ratio: float) -> RecommendedRatios:
        """Ratios where the groups within blocks lose this fraction, in [0, 1), of their channels.

        Groups of equal width would all lose their next channel at the same fraction, and a budget be missed by that:
        each is rounded at another place, the last ones up first.

        Raises:
            ParameterError: a ratio outside [0, 1).
        """
        if not 0 <= ratio < 1:
            raise ParameterError(f"expected a ratio in [0, 1), received {ratio}; correct it")
        of_sums = ratio * max(0.0, ratio - SUMS_WHOLE) / (1 - SUMS_WHOLE)
        ratios, left = {}, list(self.graph.excluded)
        for index, group in enumerate(self.graph.groups):
            lost = group.channels * (of_sums if group.name in self.sums else ratio)
            removed = min(group.channels - 1, math.floor(lost + (index + 0.5) / len(self.graph.groups)))
            value = rounded_ratio(group, removed / group.channels, self.step)
            if value > 0:
                ratios[group.name] = value
            else:
                left.append(Exclusion(group.name, self._reason(group)))
        return RecommendedRatios(ratios, tuple(left))

    def _reason(self, group: Group) -> str:
        if group.name in self.sums:
            return "blocks add to it: whole while the layers within them make up for it"
        return f"all its {group.channels} channels stay at this ratio"


def _is_sum(group: Group, operations: Mapping[str, Any]) -> bool:
    """Whether an addition joins the layers of a group; where the merge is no operation of the model, any does."""
    merge = operations.get(group.name)
    joined = len(group.layers) > 1
    return joined if merge is None else joined and type(merge).__name__ in _SUMS
