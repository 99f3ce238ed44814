"""Tables on the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from compress.graph import ChannelGraph
from compress.parameters import CompressionParameters
from objectives.cost import Cost, CostModel
from search.results import COLUMNS, Result, table_rows


def comparison(results: Sequence[Result], title: str) -> Table:
    """NPTK's comparison: original, simple and searched model."""
    caption = "in brackets: difference from the original, and how many times less"
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    for column in COLUMNS:
        # The caption explains the brackets: short headers leave the figures whole on 80 columns.
        header = column.partition(" (")[0]
        table.add_column(header, justify="left" if column == COLUMNS[0] else "right", no_wrap=True)
    for row in table_rows(results):
        table.add_row(*row)
    return table


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


def excluded(graph: ChannelGraph) -> Table:
    """What is left whole, and why."""
    table = Table("Layer or group", "Not", "Because", title="Excluded")
    for exclusion in graph.excluded:
        table.add_row(exclusion.name, "pruned", exclusion.reason)
    for exclusion in graph.undecomposable:
        table.add_row(exclusion.name, "decomposed", exclusion.reason)
    return table


def layer_costs(cost: CostModel) -> Table:
    """FLOPs and parameters of every layer that has any, and the total."""
    parameters = CompressionParameters.none()
    table = Table(title="Cost per layer", show_footer=True)
    total = cost.cost(parameters)
    kinds = {site.layer: site.kind for site in cost.graph.sites}
    for header, footer in (
        ("Layer", "total"),
        ("Type", ""),
        *zip(("FLOPs", "Parameters"), _figures(total), strict=True),
    ):
        table.add_column(header, footer, justify="left" if header in ("Layer", "Type") else "right")
    for name, figures in cost.layer_costs(parameters).items():
        if figures.flops or figures.params:
            table.add_row(name, kinds[name], *_figures(figures))
    return table


def _figures(cost: Cost) -> tuple[str, str]:
    return f"{cost.flops:,}", f"{cost.params:,}"
