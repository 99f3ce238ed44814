"""PruningSettings: which channels go, once a ratio says how many."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from compress.analysis import analyse
from compress.channel_step import SINGLE_CHANNELS, ChannelStep
from compress.criterion import Criterion, L2Norm, MeasuredScores
from compress.layer_norm import LayerNorm
from compress.walk import as_functional

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
        policy: how the layers of a group are combined. The channels that are compared, those of a block, are held by
            equally many layers, so average and sum remove the same ones.
        step: what the kept channels are rounded to.
    """

    criterion: Criterion = L2Norm()
    layer_norm: LayerNorm = "none"
    group_policy: Policy = "average"
    policy: Policy = "average"
    step: ChannelStep = SINGLE_CHANNELS

    def measured(self, model: Any) -> Self:
        """The same settings with the scores of this model: for one model that is pruned many times."""
        source = as_functional(model)
        return replace(self, criterion=MeasuredScores.of(self.criterion, source, analyse(source)))


DEFAULT_PRUNING = PruningSettings()
"""The weakest filters by L2 norm go, as NPTK's Simple mode removes them."""
