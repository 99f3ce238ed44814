"""Charts with a row for every layer: ratios, ranks and FLOPs of the winner and of the recommended values."""

from collections.abc import Mapping
from typing import Literal

import plotly.graph_objects as go

from compress.parameters import SINGLE_CHANNELS, ChannelStep, CompressionParameters, kept_channels
from objectives.cost.cost import Cost
from search.report.blocks import Chart
from search.report.figures import style
from search.report.figures.figure import figure
from search.report.figures.style import MODELS
from search.report.run_view import RunView
from search.runs.results import ORIGINAL

ByModel = Mapping[str, CompressionParameters]
"""Parameters by the label of a model's result: search, simple."""

_SIDES: Mapping[str, int] = {"In": 0, "Out": 1}
_WHOLE = "A layer without a bar stays whole. Channels are those of the original model."


@figure(section="layers", order=10)
def ratio_charts(view: RunView) -> list[Chart]:
    """Pruning ratios; nothing where no model is pruned."""
    if not any(given.ratios for given in view.parameters.values()):
        return []
    known = view.layers
    made = ratios(view.parameters, known.group_channels, known.step) if known else ratios(view.parameters, {})
    return [Chart("ratios", made, "Groups of layers lose channels together.")]


@figure(section="layers", order=20)
def rank_charts(view: RunView) -> list[Chart]:
    """In Ranks and Out Ranks; nothing where no model is decomposed."""
    if not any(given.ranks for given in view.parameters.values()):
        return []
    channels = view.layers.layer_channels if view.layers else {}
    return [
        Chart("ranks-in", ranks(view.parameters, channels, "In"), _WHOLE),
        Chart("ranks-out", ranks(view.parameters, channels, "Out"), _WHOLE),
    ]


@figure(section="layers", order=30)
def flops_charts(view: RunView) -> list[Chart]:
    """FLOPs of every layer; nothing where the model cannot be read."""
    if view.layers is None:
        return []
    models = {ORIGINAL: CompressionParameters.none(), **view.parameters}
    costs = {label: view.layers.costs(parameters) for label, parameters in models.items()}
    caption = "A decomposed layer counts with all its parts."
    if view.layers.cost.uncounted:
        caption += f" Counted as 0, their type is not known: {', '.join(view.layers.cost.uncounted)}."
    return [Chart("layer-flops", flops(costs), caption)]


def ratios(models: ByModel, channels: Mapping[str, int], step: ChannelStep = SINGLE_CHANNELS) -> go.Figure:
    """Pruning ratio of every group.

    Args:
        models: the parameters of each model.
        channels: of every group of the original model; empty where that is not known.
        step: what kept channels are rounded to.
    """
    names = list(dict.fromkeys([*channels, *(name for given in models.values() for name in given.ratios)]))
    made = style.empty_rows("Pruning ratios", names, len(models))
    for label, given in models.items():
        values = [given.ratios.get(name, 0.0) for name in names]
        texts = [
            f"{kept_channels(channels[name], value, step)} of {channels[name]} channels kept"
            if name in channels
            else "kept channels are not known"
            for name, value in zip(names, values, strict=True)
        ]
        _add_bars(made, label, values, names, texts)
    made.update_xaxes(title="fraction of channels removed", range=[0, 1])
    return made


def ranks(models: ByModel, channels: Mapping[str, tuple[int, int]], side: Literal["In", "Out"]) -> go.Figure:
    """In or Out Rank of every layer that is decomposed, as a fraction of its channels in the original model.

    A layer that stays whole has no bar.

    Args:
        models: the parameters of each model.
        channels: input and output channels of the layers; for a layer that is missing the rank itself is drawn.
        side: which of the two ranks.
    """
    index = _SIDES[side]
    decomposed = {name for given in models.values() for name in given.ranks}
    known = [name for name in channels if name in decomposed]
    names = list(dict.fromkeys([*known, *(name for given in models.values() for name in given.ranks)]))
    made = style.empty_rows(f"Tucker ranks: {side} Rank", names, len(models))
    for label, given in models.items():
        pairs = {name: given.ranks[name][index] for name in names if name in given.ranks}
        whole = {name: channels[name][index] if name in channels else 1 for name in pairs}
        texts = [f"{rank} of {whole[name]}" if name in channels else str(rank) for name, rank in pairs.items()]
        _add_bars(made, label, [rank / whole[name] for name, rank in pairs.items()], list(pairs), texts)
    fraction = bool(channels)
    made.update_xaxes(title="fraction of the original channels" if fraction else f"{side} Rank")
    if fraction:
        made.update_xaxes(range=[0, 1])
    return made


def flops(models: Mapping[str, Mapping[str, Cost]]) -> go.Figure:
    """FLOPs of every layer that has any in the original model.

    models: cost by layer, by the label of a model's result; the original is one of them.
    """
    names = [name for name, cost in models[ORIGINAL].items() if cost.flops]
    made = style.empty_rows("FLOPs of the layers", names, len(models))
    for label, costs in models.items():
        values = [costs[name].flops / 1e6 for name in names]
        texts = [_less(costs[name].flops, models[ORIGINAL][name].flops) for name in names]
        _add_bars(made, label, values, names, texts)
    made.update_xaxes(title="MFLOPs")
    return made


def _less(own: int, whole: int) -> str:
    return f"{own:,} FLOPs, {own / whole:.0%} of the original"


def _add_bars(made: go.Figure, label: str, values: list[float], names: list[str], texts: list[str]) -> None:
    made.add_bar(
        orientation="h",
        x=values,
        y=names,
        hovertext=texts,
        name=label.capitalize(),
        marker={"color": MODELS[label]},
        hovertemplate=f"%{{y}}<br>{label}: %{{x:.4g}}<br>%{{hovertext}}<extra></extra>",
    )
