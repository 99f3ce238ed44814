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
from search.space.space_arrays import SpaceArrays, SpaceSettings

Floats = NDArray[np.float64]

LOWEST_PREFERENCE = 0.1
"""Preferences are relative: a group may be wanted at most ten times as much as another before projection."""

PREFERENCE = FloatDistribution(LOWEST_PREFERENCE, 1.0)
"""What every dimension is drawn from."""

Preferences = Mapping[str, float]
"""Wanted fraction of channels kept, in [0, 1], by dimension name, as a study queues it."""


@dataclass(frozen=True)
class Candidate:
    """What a proposal was decoded to.

    Attributes:
        parameters: ratios and ranks on the grid.
        cost: analytic cost of the model that they make.
    """

    parameters: CompressionParameters
    cost: Cost


@dataclass(frozen=True)
class SearchSpace:
    """Dimensions named ``keep:<group>``, ``rank_in:<layer>`` and ``rank_out:<layer>``, each a number in [0, 1].

    What a choice per layer fixes has no dimension.

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
        """Groups that are pruned, at ratios that are searched or fixed; none for a recipe that does not prune."""
        return self.graph.groups if PRUNE in self.recipe else ()

    @property
    def layers(self) -> tuple[Decomposable, ...]:
        """Layers that are decomposed, at ranks that are searched or fixed; none without that stage."""
        return self.graph.decomposable if DECOMPOSE in self.recipe else ()

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Names of all dimensions."""
        keep = [f"keep:{group.name}" for group in self.groups]
        ranks = [f"{side}:{layer.layer}" for layer in self.layers for side in ("rank_in", "rank_out")]
        return tuple(name for name, is_free in zip((*keep, *ranks), self.arrays.is_free, strict=True) if is_free)

    @cached_property
    def largest(self) -> CompressionParameters:
        """What is applied where all that is searched stays whole: fixed values, and the least of bounded ones."""
        return self.decode(np.ones(len(self.dimensions)))

    @cached_property
    def always_decomposed(self) -> frozenset[str]:
        """Layers that are decomposed in all candidates, because a choice fixes their ranks."""
        fixed = zip(self.layers, self.arrays.always_decomposed, strict=True)
        return frozenset(layer.layer for layer, is_fixed in fixed if is_fixed)

    def decode(self, wanted: Floats) -> CompressionParameters:
        """Parameters on the grid, at most the wanted fractions (D,) of it; fractions above 1 count as 1.

        A rank pair that would not make its layer cheaper is left out, and the layer stays whole.
        """
        return self.arrays.parameters(self.arrays.decode(wanted[None]))

    def candidate(self, parameters: CompressionParameters) -> Candidate:
        """Parameters and what they cost."""
        return Candidate(parameters, self.cost.cost(parameters, self.settings.step))

    def row(self, wanted: Preferences) -> Floats:
        """Preferences by name as an array (D,) in the order of the dimensions."""
        return np.array([wanted[name] for name in self.dimensions])

    @cached_property
    def arrays(self) -> SpaceArrays:
        """Decodes many proposals at once."""
        return SpaceArrays(self.cost, self.settings, self.groups, self.layers, self.recipe[0] == PRUNE)

    def encode(self, parameters: CompressionParameters) -> dict[str, float]:
        """Preferences that decode to these parameters, up to the grid; layers left whole want all channels."""
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
        """The smallest figures that the space reaches: no model of it is below in any.

        Ranks add tensors and calls, so that for memory and for latency each layer is decomposed or left whole,
        whichever is less.
        """
        leanest = self.decode(np.zeros(len(self.dimensions)))
        parts = self.cost.layer_costs(leanest, self.settings.step)
        whole = self.cost.layer_costs(CompressionParameters(leanest.ratios, {}), self.settings.step)
        either = [name for name in parts if name not in self.always_decomposed]
        fixed = [parts[name].memory for name in self.always_decomposed]
        memory = max([*fixed, *(min(parts[name].memory, whole[name].memory) for name in either)])
        gained = sum(max(0.0, parts[name].latency - whole[name].latency) for name in either)
        smallest = self.cost.cost(leanest, self.settings.step)
        return replace(smallest, memory=memory, latency=smallest.latency - gained)


def suggested(trial: optuna.Trial, dimensions: Sequence[str]) -> Floats:
    """What the sampler wants of every dimension, (D,)."""
    return np.array([trial.suggest_float(name, PREFERENCE.low, PREFERENCE.high) for name in dimensions])
