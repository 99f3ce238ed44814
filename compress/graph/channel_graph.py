"""ChannelGraph: which channels of a model are coupled, what may be pruned or decomposed, and why the rest may not."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import ParameterError
from compress.graph.group import CoupledLabels, Decomposable, Exclusion, Group, KeptChannels, Node, Ratios
from compress.graph.naming import LAST_SUFFIXES, unknown_name
from compress.parameters import SINGLE_CHANNELS, ChannelStep, kept_channels


@dataclass(frozen=True)
class ChannelGraph:
    """The analysis of one model; plain data, independent of the model's objects, cheap to pickle.

    Attributes:
        groups: prunable groups, in topological order.
        excluded: groups that are left whole, with the reason.
        decomposable: convolutions that Tucker-2 may replace, in topological order.
        undecomposable: convolutions that it may not, with the reason.
        nodes: every layer call, in topological order.
        labels: number of coupled labels of the whole model; they are numbered from 0.
        outputs: numbers of the tensors that the model returns, in their order.
        across_normalization: whether channels may go over which a layer normalizes.
        image_size: at which the shapes are given, of a model that takes images of any size; else None.
    """

    groups: tuple[Group, ...]
    excluded: tuple[Exclusion, ...]
    decomposable: tuple[Decomposable, ...]
    undecomposable: tuple[Exclusion, ...]
    nodes: tuple[Node, ...]
    labels: int
    outputs: tuple[int, ...]
    across_normalization: bool = False
    image_size: tuple[int, ...] | None = None

    @cached_property
    def _groups_by_name(self) -> dict[str, Group]:
        return {group.name: group for group in self.groups}

    @cached_property
    def _nodes_by_layer(self) -> dict[str, Node]:
        return {node.layer: node for node in self.nodes if not node.repeated}

    @cached_property
    def not_exact(self) -> tuple[str, ...]:
        """Layers that normalize across channels of which some may go; none without ``across_normalization``."""
        prunable = {label for group in self.groups for labels in group.subgroups for label in labels.tolist()}
        names = [node.layer for node in self.nodes if not (node.exact or prunable.isdisjoint(node.output.tolist()))]
        return tuple(dict.fromkeys(names))

    def group(self, name: str) -> Group:
        """The prunable group called ``name``.

        A group of a decomposed model is also found by the name that its producing layer had before.

        Raises:
            ParameterError: no such group; says why, and names the nearest.
        """
        names = (name, *(name + suffix for suffix in LAST_SUFFIXES))
        group = next((self._groups_by_name[name] for name in names if name in self._groups_by_name), None)
        if group is None:
            raise ParameterError(self._no_group(name))
        return group

    def ratio_by_group(self, ratios: Ratios) -> dict[str, float]:
        """The ratios by the groups' own names.

        Raises:
            ParameterError: an unknown or excluded group, or two names of the same group.
        """
        by_group: dict[str, float] = {}
        for name, ratio in ratios.items():
            group = self.group(name).name
            if group in by_group:
                raise ParameterError(
                    f"group '{group}': expected one ratio, received a second one as '{name}'; remove it"
                )
            by_group[group] = ratio
        return by_group

    def _no_group(self, name: str) -> str:
        for group in self.groups:
            if name in group.layers:
                return f"layer '{name}' cannot be pruned alone: it belongs to the group '{group.name}'; use that name"
        for exclusion in self.excluded:
            if exclusion.name == name:
                return f"layer '{name}' cannot be pruned: {exclusion.reason}"
        if name in self._nodes_by_layer:
            return f"layer '{name}' ({self.node(name).kind}) has no filters of its own to prune"
        names = [name for group in self.groups for name in (group.name, *group.layers)]
        return unknown_name("layer or group", name, list(dict.fromkeys(names)))

    def convolution(self, name: str) -> Decomposable:
        """The decomposable convolution called ``name``.

        Raises:
            ParameterError: no such layer, or one that is left whole; says why.
        """
        for layer in self.decomposable:
            if layer.layer == name:
                return layer
        for exclusion in self.undecomposable:
            if exclusion.name == name:
                raise ParameterError(f"layer '{name}' cannot be decomposed: {exclusion.reason}")
        if name in self._nodes_by_layer:
            raise ParameterError(f"layer '{name}' ({self.node(name).kind}) is not a convolution; ranks apply to Conv2D")
        raise ParameterError(unknown_name("convolution", name, [layer.layer for layer in self.decomposable]))

    def node(self, layer: str) -> Node:
        """The node of a layer's first call.

        Raises:
            ParameterError: the model has no layer of that name; names the nearest.
        """
        node = self._nodes_by_layer.get(layer)
        if node is None:
            raise ParameterError(unknown_name("layer", layer, list(self._nodes_by_layer)))
        return node

    def keep(
        self, ratios: Ratios, scores: Mapping[str, NDArray[Any]], step: ChannelStep = SINGLE_CHANNELS
    ) -> KeptChannels:
        """Which labels stay when every named group loses its lowest-scored channels, shape (labels,).

        Args:
            ratios: fraction of channels to remove, by group name.
            scores: importance of every label of each of those groups, shape (labels,), by the group's own name.
            step: what the kept channels are rounded to.
        """
        kept = np.ones(self.labels, dtype=np.bool_)
        for name, ratio in self.ratio_by_group(ratios).items():
            for subgroup in self.group(name).subgroups:
                count = kept_channels(subgroup.size, ratio, step)
                # A stable sort, so that equal scores always fall in channel order.
                order = np.argsort(-scores[name][subgroup], kind="stable")
                kept[subgroup[order[count:]]] = False
        return kept


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
