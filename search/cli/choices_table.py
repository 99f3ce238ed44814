"""The choices per layer of a configuration, as a table and as JSON."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from compress.graph.channel_graph import ChannelGraph
from compress.graph.choices import Bounds, Choices


@dataclass(frozen=True)
class ChosenLayer:
    """The choices for a group or a layer.

    Attributes:
        name: of the group or the layer.
        ratio: bounds of its ratio; None without a choice.
        ranks: smallest and largest In Rank and Out Rank, for the channels before pruning; None without a choice.
        channels: input and output channels before pruning; None without a choice of ranks.
    """

    name: str
    ratio: Bounds | None = None
    ranks: tuple[tuple[int, int], tuple[int, int]] | None = None
    channels: tuple[int, int] | None = None


def chosen_layers(graph: ChannelGraph, choices: Choices) -> list[ChosenLayer]:
    """Every group and decomposable layer with a choice, groups first."""
    ratios = {group.name: choices.ratio(group) for group in graph.groups}
    ranks = {}
    for layer in graph.decomposable:
        pair = choices.ranks(layer.layer)
        if pair is not None:
            channels = (layer.in_channels, layer.out_channels)
            ranks[layer.layer] = (pair[0].ranks(channels[0]), pair[1].ranks(channels[1])), channels
    names = dict.fromkeys([*(name for name, bounds in ratios.items() if bounds is not None), *ranks])
    return [ChosenLayer(name, ratios.get(name), *ranks.get(name, (None, None))) for name in names]


def choices_table(layers: list[ChosenLayer]) -> Table:
    """Bounds of ratios and ranks by group and layer."""
    table = Table("Group or layer", "Ratio", "In rank", "Out rank", title="Choices of space.layers")
    table.caption = "ranks are for the channels before pruning; empty cells have no choice"
    for layer in layers:
        ratio = "" if layer.ratio is None else _span(layer.ratio.least, layer.ratio.most, "not pruned", 0)
        sides = ["", ""]
        if layer.ranks is not None and layer.channels is not None:
            sides = [_span(*pair, "whole", most) for pair, most in zip(layer.ranks, layer.channels, strict=True)]
        table.add_row(layer.name, ratio, *sides)
    return table


def choices_entry(layers: list[ChosenLayer]) -> dict[str, Any]:
    """Bounds of ratios and ranks by group and layer, as JSON."""
    return {
        layer.name: ({} if layer.ratio is None else {"ratio": [layer.ratio.least, layer.ratio.most]})
        | ({} if layer.ranks is None else {"rank_in": list(layer.ranks[0]), "rank_out": list(layer.ranks[1])})
        for layer in layers
    }


def _span(least: float, most: float, word: str, nothing: float) -> str:
    """Both bounds, or a fixed value; ``word`` for the fixed value ``nothing``, which changes nothing."""
    if least == most:
        return word if least == nothing else f"{least:.10g}"
    return f"{least:.10g} to {most:.10g}"
