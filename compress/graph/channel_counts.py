"""How many channels of any tensor stay at given pruning ratios, without a model and without choosing the channels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import CoupledLabels, Ratios
from compress.parameters import SINGLE_CHANNELS, ChannelStep, kept_channels


@dataclass(frozen=True)
class ChannelCounts:
    """Linear forms from kept channels per subgroup to kept channels per tensor.

    Subgroups are numbered in the order of ``graph.groups`` and of each group's ``subgroups``.

    Attributes:
        graph: the analysed model.
        sizes: channels of every subgroup, shape (subgroups,).
        subgroup_of: subgroup of every label, shape (graph.labels,); -1 for labels that are never removed.
    """

    graph: ChannelGraph
    sizes: NDArray[np.int64]
    subgroup_of: NDArray[np.int64]

    @classmethod
    def of(cls, graph: ChannelGraph) -> "ChannelCounts":
        """The counts of one graph."""
        subgroups = [subgroup for group in graph.groups for subgroup in group.subgroups]
        subgroup_of = np.full(graph.labels, -1, dtype=np.int64)
        for index, subgroup in enumerate(subgroups):
            subgroup_of[subgroup] = index
        return cls(graph, np.array([subgroup.size for subgroup in subgroups], dtype=np.int64), subgroup_of)

    def kept_subgroups(self, ratios: Ratios, step: ChannelStep = SINGLE_CHANNELS) -> NDArray[np.int64]:
        """Channels that stay in every subgroup, shape (subgroups,).

        Raises:
            ParameterError: an unknown or excluded group, or two names of the same group.
        """
        by_group = self.graph.ratio_by_group(ratios)
        kept = [
            kept_channels(subgroup.size, by_group.get(group.name, 0.0), step)
            for group in self.graph.groups
            for subgroup in group.subgroups
        ]
        return np.array(kept, dtype=np.int64)

    def form(self, labels: CoupledLabels) -> tuple[int, NDArray[np.int64]]:
        """Channels of a tensor as constant + row @ kept: an integer and shape (subgroups,)."""
        subgroups = self.subgroup_of[labels]
        held = np.bincount(subgroups[subgroups >= 0], minlength=self.sizes.size)
        # Every label of a subgroup occurs equally often in a tensor; that is what makes it a subgroup.
        return int(np.sum(subgroups < 0)), held // np.maximum(self.sizes, 1)

    def count(self, labels: CoupledLabels, kept: NDArray[np.int64]) -> int:
        """Channels of a tensor that stay, given the kept channels of every subgroup, shape (subgroups,)."""
        constant, row = self.form(labels)
        return constant + int(row @ kept)
