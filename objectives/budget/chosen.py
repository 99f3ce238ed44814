"""Recommended values within the choices per layer."""

from collections.abc import Collection, Mapping

from compress.decomposition.tucker import tucker_saves
from compress.graph.channel_graph import ChannelGraph
from compress.graph.choices import WHOLE, Choices, RankPair
from compress.graph.group import Decomposable, Exclusion
from compress.recommend.recommend import RecommendedRanks, RecommendedRatios

_KEPT = "a choice keeps it"
_NOT_CHEAPER = "no ranks within its choice make it cheaper"


def chosen_ratios(graph: ChannelGraph, recommended: RecommendedRatios, choices: Choices) -> RecommendedRatios:
    """Recommended ratios, each clipped to the bounds of its group."""
    bounds = {group.name: chosen for group in graph.groups if (chosen := choices.ratio(group)) is not None}
    within = {name: bound.clipped(recommended.ratios.get(name, 0.0)) for name, bound in bounds.items()}
    ratios = {name: ratio for name, ratio in {**recommended.ratios, **within}.items() if ratio}
    kept = [name for name, bound in bounds.items() if bound.most == 0]
    return RecommendedRatios(ratios, _left_whole(recommended.left_whole, dict.fromkeys(kept, _KEPT), ratios))


def chosen_ranks(graph: ChannelGraph, recommended: RecommendedRanks, choices: Choices) -> RecommendedRanks:
    """Recommended ranks, each pair clipped to the bounds of its layer; layers without a pair start from all channels.

    A pair that would not make its layer cheaper is left out, unless both ranks are fixed.
    """
    bounds = {layer: chosen for layer in graph.decomposable if (chosen := choices.ranks(layer.layer)) is not None}
    within = {layer: _within(layer, recommended.ranks.get(layer.layer), bound) for layer, bound in bounds.items()}
    fixed = {layer.layer for layer in bounds if choices.decomposes(layer.layer)}
    kept = [layer.layer for layer, pair in within.items() if not _is_decomposed(graph, layer, pair, fixed)]
    pairs = {**recommended.ranks, **{layer.layer: pair for layer, pair in within.items()}}
    ranks = {name: pair for name, pair in pairs.items() if name not in kept}
    reasons = {name: _KEPT if choices.ranks(name) == (WHOLE, WHOLE) else _NOT_CHEAPER for name in kept}
    return RecommendedRanks(ranks, _left_whole(recommended.left_whole, reasons, ranks))


def _within(layer: Decomposable, pair: tuple[int, int] | None, bounds: RankPair) -> tuple[int, int]:
    channels = (layer.in_channels, layer.out_channels)
    limits = [side.ranks(count) for side, count in zip(bounds, channels, strict=True)]
    wanted = zip(pair or channels, limits, strict=True)
    rank_in, rank_out = (min(most, max(least, rank)) for rank, (least, most) in wanted)
    return rank_in, rank_out


def _is_decomposed(graph: ChannelGraph, layer: Decomposable, pair: tuple[int, int], fixed: Collection[str]) -> bool:
    channels = (layer.in_channels, layer.out_channels)
    if layer.layer in fixed and pair != channels:
        return True
    return tucker_saves(graph.node(layer.layer), *channels, pair)


def _left_whole(
    left: tuple[Exclusion, ...], kept: Mapping[str, str], changed: Collection[str]
) -> tuple[Exclusion, ...]:
    """The groups or layers that stay whole: those of before without those that choices concern, and those kept now."""
    others = (exclusion for exclusion in left if exclusion.name not in changed and exclusion.name not in kept)
    return (*others, *(Exclusion(name, reason) for name, reason in kept.items()))
