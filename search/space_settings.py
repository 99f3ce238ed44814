"""Grid and bounds of a search space."""

from dataclasses import dataclass

from compress.channel_step import SINGLE_CHANNELS, ChannelStep


@dataclass(frozen=True)
class SpaceSettings:
    """Grid and bounds.

    Attributes:
        ratio_max: largest pruning ratio.
        ratio_step: grid of the ratios.
        rank_step: grid of the ranks, as a fraction of the layer's channels.
        step: what the kept channels are rounded to.
    """

    ratio_max: float = 0.9
    ratio_step: float = 0.1
    rank_step: float = 0.1
    step: ChannelStep = SINGLE_CHANNELS
