"""How many channels of any tensor stay at given pruning ratios, without a model and without choosing the channels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Ratios, Slots
from compress.parameters import SINGLE_CHANNELS, ChannelStep, kept_channels


@dataclass(frozen=True)
class ChannelCounts:
    """Linear forms from kept channels per block to kept channels per tensor.

    Blocks are numbered in the order of ``graph.groups`` and of each group's ``blocks``.

    Attributes:
        graph: the analysed model.
        sizes: channels of every block, shape (blocks,).
        block_of: block of every slot, shape (graph.slots,); -1 for slots that are never removed.
    """

    graph: ChannelGraph
    sizes: NDArray[np.int64]
    block_of: NDArray[np.int64]

    @classmethod
    def of(cls, graph: ChannelGraph) -> "ChannelCounts":
        """The counts of one graph."""
        blocks = [block for group in graph.groups for block in group.blocks]
        block_of = np.full(graph.slots, -1, dtype=np.int64)
        for index, block in enumerate(blocks):
            block_of[block] = index
        return cls(graph, np.array([block.size for block in blocks], dtype=np.int64), block_of)

    def kept_blocks(self, ratios: Ratios, step: ChannelStep = SINGLE_CHANNELS) -> NDArray[np.int64]:
        """Channels that stay in every block, shape (blocks,).

        Raises:
            ParameterError: an unknown or excluded group, or two names of the same group.
        """
        by_group = self.graph.ratio_by_group(ratios)
        kept = [
            kept_channels(block.size, by_group.get(group.name, 0.0), step)
            for group in self.graph.groups
            for block in group.blocks
        ]
        return np.array(kept, dtype=np.int64)

    def form(self, slots: Slots) -> tuple[int, NDArray[np.int64]]:
        """Channels of a tensor as constant + row @ kept: an integer and shape (blocks,)."""
        blocks = self.block_of[slots]
        held = np.bincount(blocks[blocks >= 0], minlength=self.sizes.size)
        # Every slot of a block occurs equally often in a tensor; that is what makes it a block.
        return int(np.sum(blocks < 0)), held // np.maximum(self.sizes, 1)

    def count(self, slots: Slots, kept: NDArray[np.int64]) -> int:
        """Channels of a tensor that stay, given the kept channels of every block, shape (blocks,)."""
        constant, row = self.form(slots)
        return constant + int(row @ kept)
