"""The section of a report that shows every layer."""

from compress.parameters import CompressionParameters
from search.report.elements import Block, Chart, Folded, Note, Section, Table
from search.report.figures import layers as layer_figures
from search.report.run_view import RunLayers, RunView
from search.runs.results import ORIGINAL, SEARCH, SIMPLE

_WHOLE = "A layer without a bar stays whole. Channels are those of the original model."


def layers(view: RunView) -> Section:
    """Ratios, ranks and FLOPs of the winner beside the recommended ones, and what stays whole."""
    models = {} if view.recommended is None else {SIMPLE: view.recommended}
    models[SEARCH] = view.outcome.winner.parameters
    blocks: list[Block] = []
    if view.recommended is None:
        blocks.append(Note("The run has no recommended values to compare with: no finals, no compress --recommend."))
    elif not view.recommended.ranks and models[SEARCH].ranks:
        blocks.append(Note("The recommended values decompose no layer."))
    blocks += _values(view, models)
    if view.layers is None:
        blocks.append(Note(f"Costs of the layers, and what stays whole, are not shown: {view.missing}"))
    else:
        blocks += _costs(view.layers, models)
        blocks += _left_whole(view.layers)
    return Section("layers", "Layers", blocks)


def _values(view: RunView, models: layer_figures.ByModel) -> list[Chart]:
    known = view.layers
    found = []
    if any(given.ratios for given in models.values()):
        figure = (
            layer_figures.ratios(models, known.group_channels, known.step)
            if known
            else layer_figures.ratios(models, {})
        )
        found.append(Chart("ratios", figure, "Groups of layers lose channels together."))
    if any(given.ranks for given in models.values()):
        channels = known.layer_channels if known else {}
        found.append(Chart("ranks-in", layer_figures.ranks(models, channels, "In"), _WHOLE))
        found.append(Chart("ranks-out", layer_figures.ranks(models, channels, "Out"), _WHOLE))
    return found


def _costs(known: RunLayers, models: layer_figures.ByModel) -> list[Block]:
    costs = {label: known.costs(given) for label, given in {ORIGINAL: CompressionParameters.none(), **models}.items()}
    note = "A decomposed layer counts with all its parts."
    if known.cost.uncounted:
        note += f" Counted as 0, their type is not known: {', '.join(known.cost.uncounted)}."
    return [Chart("layer-flops", layer_figures.flops(costs), note)]


def _left_whole(known: RunLayers) -> list[Block]:
    graph = known.graph
    rows = [(one.name, "pruned", one.reason) for one in graph.excluded]
    rows += [(one.name, "decomposed", one.reason) for one in graph.undecomposable]
    if not rows:
        return [Note("Every layer with channels may be pruned, every convolution decomposed.")]
    return [
        Folded(
            f"What cannot be compressed, and why ({len(rows)})",
            [Table(("Layer or group", "Not", "Because"), rows, False)],
        )
    ]
