"""The section of a report that shows every layer."""

from compress.graph.naming import not_exact
from search.report.blocks import Block, Folded, Paragraph, Table
from search.report.figures.figure import figures_in
from search.report.run_view import RunLayers, RunView
from search.report.sections.section import section
from search.runs.results import SEARCH


@section("layers", "Layers", order=60)
def layers(view: RunView) -> list[Block]:
    """Ratios, ranks and FLOPs of the winner and of the recommended values, and the layers that stay whole."""
    blocks: list[Block] = []
    if view.recommended is None:
        blocks.append(
            Paragraph("The run has no recommended values to compare with: no finals, no compress --recommend.")
        )
    elif not view.recommended.ranks and view.parameters[SEARCH].ranks:
        blocks.append(Paragraph("The recommended values decompose no layer."))
    blocks += figures_in("layers", view)
    if view.layers is None:
        blocks.append(Paragraph(f"Costs of the layers, and what stays whole, are not shown: {view.missing}"))
    else:
        if view.layers.graph.not_exact:
            blocks.append(Paragraph(f"Pruning is {not_exact(view.layers.graph.not_exact)}."))
        blocks.append(_left_whole(view.layers))
    return blocks


def _left_whole(known: RunLayers) -> Block:
    graph = known.graph
    rows = [(one.name, "pruned", one.reason) for one in graph.excluded]
    rows += [(one.name, "decomposed", one.reason) for one in graph.undecomposable]
    if not rows:
        return Paragraph("Every layer with channels may be pruned, every convolution decomposed.")
    table = Table(("Layer or group", "Not", "Because"), rows, figures=False)
    return Folded(f"What cannot be compressed, and why ({len(rows)})", [table])
