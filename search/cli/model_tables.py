"""The tables and warnings that commands print of a model: its groups, layers, costs and recommended values."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Exclusion
from compress.graph.naming import not_exact
from compress.parameters import CompressionParameters
from objectives.budget.recommendation import DecomposedLayer, PrunedGroup
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from objectives.cost.latency import RUNTIMES, LatencySettings, measure_latency
from objectives.cost.latency_fit import untimed
from objectives.cost.memory import PeakMemory

_COSTS = ("FLOPs", "MACs", "Parameters", "Memory", "Latency")
_CAPTION = "Memory: bytes of the tensors alive at the call, of one image in float32; the total is the most"
_LATENCY_CAPTION = "\nLatency: microseconds by LiteRT on one thread; the total contains an overhead"


def groups(graph: ChannelGraph) -> Table:
    """Prunable groups: name, channels, and the layers that lose filters together."""
    table = Table("Group", "Channels", "Layers", title="Prunable groups")
    for group in graph.groups:
        table.add_row(group.name, str(group.channels), ", ".join(group.layers))
    return table


def decomposable(graph: ChannelGraph) -> Table:
    """Convolutions that Tucker-2 may replace, with the largest ranks."""
    table = Table("Layer", "In channels", "Out channels", title="Decomposable layers")
    for layer in graph.decomposable:
        table.add_row(layer.layer, str(layer.in_channels), str(layer.out_channels))
    return table


def left_whole(unpruned: Sequence[Exclusion], undecomposed: Sequence[Exclusion], title: str) -> Table:
    """Groups that are not pruned and layers that are not decomposed, with the reasons."""
    table = Table("Layer or group", "Not", "Because", title=title)
    for exclusion in unpruned:
        table.add_row(exclusion.name, "pruned", exclusion.reason)
    for exclusion in undecomposed:
        table.add_row(exclusion.name, "decomposed", exclusion.reason)
    return table


def pruned_groups(rows: Sequence[PrunedGroup]) -> Table:
    """Groups that lose channels: ratio, and channels that stay."""
    table = Table("Group", "Ratio", "Kept", "Channels", title="Recommended pruning ratios")
    for row in rows:
        table.add_row(row.name, f"{row.ratio:.4g}", str(row.kept), str(row.channels))
    return table


def decomposed_layers(rows: Sequence[DecomposedLayer]) -> Table:
    """Decomposed convolutions: both ranks, and the channels that they replace."""
    table = Table("Layer", "In rank", "of", "Out rank", "of", title="Recommended Tucker ranks (VBMF)")
    for row in rows:
        pairs = zip(row.ranks, row.channels, strict=True)
        table.add_row(row.name, *(str(figure) for pair in pairs for figure in pair))
    return table


def change(before: Cost, after: Cost) -> str:
    """One line: FLOPs and parameters, before and after."""
    flops, params = before.flops / max(1, after.flops), before.params / max(1, after.params)
    return (
        f"{before.flops / 1e6:.2f} -> {after.flops / 1e6:.2f} MFLOPs ({flops:.2f}x fewer), "
        f"{before.params / 1e6:.3f} -> {after.params / 1e6:.3f} M parameters ({params:.2f}x fewer)"
    )


def layer_costs(cost: CostModel) -> Table:
    """Cost of every layer with FLOPs, parameters or the peak of memory, and the totals."""
    parameters = CompressionParameters.none()
    total = cost.cost(parameters)
    caption = _CAPTION + (_LATENCY_CAPTION if cost.latency else "")
    table = Table(title="Cost per layer", caption=caption, box=box.SIMPLE_HEAD, show_edge=False, show_footer=True)
    table.pad_edge, table.collapse_padding = False, True
    table.title_justify = table.caption_justify = "left"
    kinds = {node.layer: node.kind for node in cost.graph.nodes}
    # On 80 columns only the type is cut.
    table.add_column("Layer", "total", no_wrap=True)
    table.add_column("Type")
    # Without a latency table there is no last column.
    for header, footer in zip(_COSTS, _figures(total, cost), strict=False):
        table.add_column(header, footer, justify="right", no_wrap=True)
    for name, figures in cost.layer_costs(parameters).items():
        if figures.flops or figures.params or figures.latency or figures.memory == total.memory:
            table.add_row(name, kinds[name], *_figures(figures, cost))
    return table


def warn_of_uncounted(console: Console, cost: CostModel) -> None:
    """Print the layers whose FLOPs cannot be counted, if any."""
    if cost.uncounted:
        names = ", ".join(cost.uncounted)
        console.print(f"counted as 0 FLOPs because their type is not known: {names}", style="yellow", soft_wrap=True)


def warn_of_not_exact(console: Console, graph: ChannelGraph) -> None:
    """Print the layers behind which pruning is not exact, if any."""
    if graph.not_exact:
        console.print(not_exact(graph.not_exact), style="yellow", soft_wrap=True)


def warn_of_unsized(console: Console, memory: PeakMemory) -> None:
    """Print the layers whose outputs are left out of the memory, if any."""
    if memory.unsized:
        names = ", ".join(memory.unsized)
        console.print(f"left out of the memory, as their size is not fixed: {names}", style="yellow", soft_wrap=True)


def latencies(model: Any) -> Table:
    """Measured latency of one image on one thread, by every runtime."""
    table = Table("Runtime", "Median", "Interquartile range", title="Latency, in milliseconds")
    for runtime in RUNTIMES:
        latency = measure_latency(model, LatencySettings(runtime))
        table.add_row(runtime, f"{latency.median / 1e3:.3f}", f"{latency.spread / 1e3:.3f}")
    return table


def warn_of_untimed(console: Console, graph: ChannelGraph) -> None:
    """Print the layer types whose latency is a part of the constant overhead, if any."""
    kinds = ", ".join(untimed(graph))
    if kinds:
        console.print(f"not measured, their latency counts as constant: {kinds}", style="yellow", soft_wrap=True)


def _figures(figures: Cost, cost: CostModel) -> tuple[str, ...]:
    counts = tuple(f"{figure:,}" for figure in (figures.flops, figures.macs, figures.params, figures.memory))
    return counts if cost.latency is None else (*counts, f"{figures.latency:,.1f}")
