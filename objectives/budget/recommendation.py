"""Recommended values of a model for all stages, with the layers that stay whole and the cost of the result."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from compress.cloning.walk import as_functional
from compress.decomposition.tucker import decompose
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelCounts, ChannelGraph
from compress.graph.group import Exclusion, Ranks, Ratios
from compress.graph.sizes import ImageSize, takes_any_size
from compress.parameters import PRUNE, ChannelStep, CompressionParameters, Stage
from compress.pruning.pruning import prune
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings
from objectives.budget.recommended import Recommender
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel


@dataclass(frozen=True)
class PrunedGroup:
    """A group, its ratio, and how many of its channels stay."""

    name: str
    ratio: float
    kept: int
    channels: int


@dataclass(frozen=True)
class DecomposedLayer:
    """A convolution, its (In Rank, Out Rank), and its (input, output) channels before that stage."""

    name: str
    ranks: tuple[int, int]
    channels: tuple[int, int]


@dataclass(frozen=True)
class Recommendation:
    """Recommended values of all stages of a recipe, without fine-tuning in between.

    Attributes:
        graph: analysis of the original model.
        recipe: the stages in order; each one's values are for the model as the stages before leave it.
        step: what the kept channels are rounded to.
        before: cost of the original model, None where it takes images of any size and none was given.
        after: cost of the compressed model, None in the same case.
        groups: groups that lose channels.
        layers: convolutions that are decomposed.
        unpruned: groups that lose nothing, with the reason.
        undecomposed: convolutions that stay whole, with the reason.
    """

    graph: ChannelGraph
    recipe: tuple[Stage, ...]
    step: ChannelStep
    before: Cost | None
    after: Cost | None
    groups: tuple[PrunedGroup, ...] = ()
    layers: tuple[DecomposedLayer, ...] = ()
    unpruned: tuple[Exclusion, ...] = ()
    undecomposed: tuple[Exclusion, ...] = ()

    @property
    def parameters(self) -> CompressionParameters:
        """The values in the form that files hold and compression takes."""
        return CompressionParameters(
            {group.name: group.ratio for group in self.groups}, {layer.name: layer.ranks for layer in self.layers}
        )


def recommendation(
    model: Any,
    source: Recommender,
    recipe: Sequence[Stage],
    pruning: PruningSettings = DEFAULT_PRUNING,
    image_size: ImageSize | None = None,
) -> Recommendation:
    """Compute the values of each stage on the model that the stages before have compressed.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        source: recommends the values.
        recipe: the stages, each at most once.
        pruning: which channels go, and what the kept ones are rounded to.
        image_size: at which cost is counted, of a model that takes images of any size.

    Raises:
        TuckpruneError: a model that cannot be analysed, or a budget that recommended values cannot meet.
    """
    current = as_functional(model)
    graph = analyse(current, pruning.across_normalization, image_size)
    is_sized = image_size is not None or not takes_any_size(current)
    before = _cost(graph) if is_sized else None
    result = Recommendation(graph, tuple(recipe), pruning.step, before, before)
    for stage in recipe:
        if stage == PRUNE:
            ratios = source.ratios(current)
            result = replace(result, groups=_groups(graph, ratios.ratios, pruning), unpruned=ratios.left_whole)
            current = prune(current, ratios.ratios, pruning)
        else:
            ranks = source.ranks(current)
            result = replace(result, layers=_layers(graph, ranks.ranks), undecomposed=ranks.left_whole)
            current = decompose(current, ranks.ranks)
        graph = analyse(current, pruning.across_normalization, image_size)
    return replace(result, after=_cost(graph) if is_sized else None)


def _cost(graph: ChannelGraph) -> Cost:
    return CostModel(graph).cost(CompressionParameters.none())


def _groups(graph: ChannelGraph, ratios: Ratios, pruning: PruningSettings) -> tuple[PrunedGroup, ...]:
    kept = iter(ChannelCounts.of(graph).kept_subgroups(ratios, pruning.step).tolist())
    stays = {group.name: sum(next(kept) for _ in group.subgroups) for group in graph.groups}
    return tuple(PrunedGroup(name, ratio, stays[name], graph.group(name).channels) for name, ratio in ratios.items())


def _layers(graph: ChannelGraph, ranks: Ranks) -> tuple[DecomposedLayer, ...]:
    sizes = {layer.layer: (layer.in_channels, layer.out_channels) for layer in graph.decomposable}
    return tuple(DecomposedLayer(name, pair, sizes[name]) for name, pair in ranks.items())
