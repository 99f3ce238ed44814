"""The search space: one preference per group and two per decomposable layer, and what they decode to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compress.channel_step import SINGLE_CHANNELS, ChannelStep
from compress.graph import ChannelGraph
from compress.group import Decomposable, Group, Ratios
from compress.parameters import CompressionParameters
from compress.recipe import DECOMPOSE, PRUNE, Stage
from compress.tucker import tucker_saves
from objectives.cost import Cost, CostModel

Preferences = Mapping[str, float]
"""Wanted fraction of channels kept, in [0, 1], by dimension name."""

# Grid points are compared after division by the step: the guard absorbs the rounding of that division.
_ROUNDING = 1e-9


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


@dataclass(frozen=True)
class SearchSpace:
    """Dimensions named ``keep:<group>``, ``rank_in:<layer>`` and ``rank_out:<layer>``, each a number in [0, 1].

    Attributes:
        cost: cost model of the original model.
        settings: grid and bounds.
        recipe: order of the stages: ranks are fractions of what pruning leaves, where it comes first.
    """

    cost: CostModel
    settings: SpaceSettings
    recipe: tuple[Stage, ...]

    @property
    def graph(self) -> ChannelGraph:
        """The analysis that the dimensions come from."""
        return self.cost.graph

    @property
    def groups(self) -> tuple[Group, ...]:
        """Groups that are searched; none for a recipe that does not prune."""
        return self.graph.groups if PRUNE in self.recipe else ()

    @property
    def layers(self) -> tuple[Decomposable, ...]:
        """Layers whose ranks are searched; none for a recipe that does not decompose."""
        return self.graph.decomposable if DECOMPOSE in self.recipe else ()

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Names of all dimensions."""
        keep = [f"keep:{group.name}" for group in self.groups]
        ranks = [f"{side}:{layer.layer}" for layer in self.layers for side in ("rank_in", "rank_out")]
        return (*keep, *ranks)

    def decode(self, wanted: Preferences) -> CompressionParameters:
        """Parameters on the grid, at most the wanted fractions of it; fractions above 1 count as 1.

        A rank pair that would not make its layer cheaper is left out, and the layer stays whole.
        """
        ratios = self.ratios(wanted)
        ranks = {}
        for layer, left in zip(self.layers, self._channels_left(ratios), strict=True):
            base = left if self.recipe[0] == PRUNE else (layer.in_channels, layer.out_channels)
            pair = (
                self._rank(wanted[f"rank_in:{layer.layer}"], base[0]),
                self._rank(wanted[f"rank_out:{layer.layer}"], base[1]),
            )
            if tucker_saves(self.graph.site(layer.layer), *left, pair):
                ranks[layer.layer] = pair
        return CompressionParameters({name: ratio for name, ratio in ratios.items() if ratio > 0}, ranks)

    def ratios(self, wanted: Preferences) -> dict[str, float]:
        """Ratios on the grid, of all groups."""
        return {group.name: self._ratio(wanted[f"keep:{group.name}"]) for group in self.groups}

    def encode(self, parameters: CompressionParameters) -> dict[str, float]:
        """Preferences that decode to these parameters, up to the grid; layers left whole want all channels."""
        wanted = {f"keep:{group.name}": 1.0 - parameters.ratios.get(group.name, 0.0) for group in self.groups}
        for layer, left in zip(self.layers, self._channels_left(parameters.ratios), strict=True):
            base = left if self.recipe[0] == PRUNE else (layer.in_channels, layer.out_channels)
            pair = parameters.ranks.get(layer.layer, base)
            wanted[f"rank_in:{layer.layer}"] = min(1.0, pair[0] / base[0])
            wanted[f"rank_out:{layer.layer}"] = min(1.0, pair[1] / base[1])
        return wanted

    def _channels_left(self, ratios: Ratios) -> list[tuple[int, int]]:
        """Input and output channels of every searched layer after pruning."""
        constants, rows = self._channel_forms
        kept = self.cost.counts.kept_blocks(ratios, self.settings.step)
        pairs: list[list[int]] = (constants + rows @ kept).reshape(-1, 2).tolist()
        return [(pair[0], pair[1]) for pair in pairs]

    @cached_property
    def _channel_forms(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Constants (2 layers,) and rows (2 layers, blocks) of the input and output channels of every layer."""
        counts = self.cost.counts
        sites = [self.graph.site(layer.layer) for layer in self.layers]
        forms = [counts.form(slots) for site in sites for slots in (site.inputs[0], site.output)]
        constants = np.array([constant for constant, _ in forms], dtype=np.int64)
        return constants, np.array([row for _, row in forms], dtype=np.int64).reshape(len(forms), counts.sizes.size)

    def smallest(self) -> Cost:
        """The smallest figures that the space reaches: no model of it is below in any.

        Ranks add tensors and calls, so that for memory and for latency each layer is decomposed or left whole,
        whichever is less.
        """
        found = self.decode(dict.fromkeys(self.dimensions, 0.0))
        parts = self.cost.layer_costs(found, self.settings.step)
        whole = self.cost.layer_costs(CompressionParameters(found.ratios, {}), self.settings.step)
        memory = max(min(parts[name].memory, whole[name].memory) for name in parts)
        gained = sum(max(0.0, parts[name].latency - whole[name].latency) for name in parts)
        smallest = self.cost.cost(found, self.settings.step)
        return replace(smallest, memory=memory, latency=smallest.latency - gained)

    def _ratio(self, keep: float) -> float:
        step = self.settings.ratio_step
        steps = math.ceil((1.0 - min(keep, 1.0)) / step - _ROUNDING)
        # Decimal grids are written as decimals: 0.3, not 0.30000000000000004.
        return round(min(steps, math.floor(self.settings.ratio_max / step + _ROUNDING)) * step, 10)

    def _rank(self, fraction: float, channels: int) -> int:
        step = self.settings.rank_step
        # All channels can be had whatever the step: only so can a layer stay whole.
        wanted = 1.0 if fraction >= 1 else max(1, math.floor(fraction / step + _ROUNDING)) * step
        return min(channels, math.ceil(channels * wanted - _ROUNDING))
