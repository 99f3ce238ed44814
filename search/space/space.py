"""The search space: one preference per group and two per decomposable layer, and what they decode to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution

from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Decomposable, Group, Ratios
from compress.parameters import DECOMPOSE, PRUNE, CompressionParameters, Stage
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import LATENCY, MEMORY
from search.space.space_arrays import SpaceArrays, SpaceSettings

Floats = NDArray[np.float64]

LOWEST_PREFERENCE = 0.1
"""The smallest preference: before projection a group may be wanted at most ten times as much as another."""

PREFERENCE = FloatDistribution(LOWEST_PREFERENCE, 1.0)
"""The distribution of every dimension."""

Preferences = Mapping[str, float]
"""Wanted fraction of channels or ranks to keep, in [0, 1], by the dimension's name."""


@dataclass(frozen=True)
class Candidate:
    """A decoded proposal.

    Attributes:
        parameters: ratios and ranks on the grid.
        cost: analytic cost of the compressed model.
    """

    parameters: CompressionParameters
    cost: Cost


@dataclass(frozen=True)
class SearchSpace:
    """Dimensions named ``keep:<group>``, ``rank_in:<layer>`` and ``rank_out:<layer>``, each a number in [0, 1].

    Values that a choice per layer fixes have no dimension.

    Attributes:
        cost: cost model of the original model.
        settings: grid and bounds.
        recipe: order of the stages; where pruning comes first, ranks are fractions of the channels that it leaves.
    """

    cost: CostModel
    settings: SpaceSettings
    recipe: tuple[Stage, ...]

    @property
    def graph(self) -> ChannelGraph:
        """The channel graph of the original model."""
        return self.cost.graph

    @property
    def groups(self) -> tuple[Group, ...]:
        """Groups whose ratios are searched or fixed; none for a recipe without pruning."""
        return self.graph.groups if PRUNE in self.recipe else ()

    @property
    def layers(self) -> tuple[Decomposable, ...]:
        """Layers whose ranks are searched or fixed; none for a recipe without decomposition."""
        return self.graph.decomposable if DECOMPOSE in self.recipe else ()

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Names of all dimensions."""
        keep = [f"keep:{group.name}" for group in self.groups]
        ranks = [f"{side}:{layer.layer}" for layer in self.layers for side in ("rank_in", "rank_out")]
        return tuple(name for name, is_free in zip((*keep, *ranks), self.arrays.is_free, strict=True) if is_free)

    @cached_property
    def largest(self) -> CompressionParameters:
        """Parameters of the largest candidate: fixed values, and the smallest compression within the bounds."""
        return self.decode(np.ones(len(self.dimensions)))

    @cached_property
    def always_decomposed(self) -> frozenset[str]:
        """Names of the layers that are decomposed in all candidates, because a choice fixes their ranks."""
        fixed = zip(self.layers, self.arrays.always_decomposed, strict=True)
        return frozenset(layer.layer for layer, is_fixed in fixed if is_fixed)

    def decode(self, wanted: Floats) -> CompressionParameters:
        """Parameters on the grid that keep at most the wanted fractions (D,); fractions above 1 count as 1.

        A layer whose ranks would not make it cheaper stays whole.
        """
        return self.arrays.parameters(self.arrays.decode(wanted[None]))

    def candidate(self, parameters: CompressionParameters) -> Candidate:
        """The candidate of these parameters, with its cost."""
        return Candidate(parameters, self.cost.cost(parameters, self.settings.step))

    def row(self, wanted: Preferences) -> Floats:
        """Preferences by name as an array (D,) in the order of the dimensions."""
        return np.array([wanted[name] for name in self.dimensions])

    @cached_property
    def arrays(self) -> SpaceArrays:
        """The space compiled to arrays, which decode many proposals at once."""
        return SpaceArrays(self.cost, self.settings, self.groups, self.layers, self.recipe[0] == PRUNE)

    def encode(self, parameters: CompressionParameters) -> dict[str, float]:
        """Preferences that decode to these parameters, up to rounding to the grid; 1 for layers that stay whole."""
        wanted = {f"keep:{group.name}": 1.0 - parameters.ratios.get(group.name, 0.0) for group in self.groups}
        for layer, left in zip(self.layers, self._channels_left(parameters.ratios), strict=True):
            base = left if self.recipe[0] == PRUNE else (layer.in_channels, layer.out_channels)
            pair = parameters.ranks.get(layer.layer, base)
            wanted[f"rank_in:{layer.layer}"] = min(1.0, pair[0] / base[0])
            wanted[f"rank_out:{layer.layer}"] = min(1.0, pair[1] / base[1])
        return {name: wanted[name] for name in self.dimensions}

    def _channels_left(self, ratios: Ratios) -> list[tuple[int, int]]:
        """Input and output channels of every searched layer after pruning."""
        kept = self.cost.counts.kept_subgroups(ratios, self.settings.step)
        pairs: list[list[int]] = self.arrays.channels_left(kept[None])[0].tolist()
        return [(pair[0], pair[1]) for pair in pairs]

    def smallest(self) -> Cost:
        """Lower bounds of all figures: no candidate of the space is below any of them.

        Because ranks add tensors and calls, memory and latency take for each layer the smaller figure of the decomposed
        and of the whole layer.
        """
        leanest = self.decode(np.zeros(len(self.dimensions)))
        parts = self.cost.layer_costs(leanest, self.settings.step)
        whole = self.cost.layer_costs(CompressionParameters(leanest.ratios, {}), self.settings.step)
        either = [name for name in parts if name not in self.always_decomposed]
        fixed = [MEMORY.of(parts[name]) for name in self.always_decomposed]
        memory = max([*fixed, *(min(MEMORY.of(parts[name]), MEMORY.of(whole[name])) for name in either)])
        smallest = replace(self.cost.cost(leanest, self.settings.step), memory=int(memory))
        if smallest.latency is None:
            return smallest
        gained = sum(max(0.0, LATENCY.of(parts[name]) - LATENCY.of(whole[name])) for name in either)
        return replace(smallest, latency=smallest.latency - gained)


def suggested(trial: optuna.Trial, dimensions: Sequence[str]) -> Floats:
    """The preferences (D,) that the study's sampler proposes for a trial."""
    return np.array([trial.suggest_float(name, PREFERENCE.low, PREFERENCE.high) for name in dimensions])
