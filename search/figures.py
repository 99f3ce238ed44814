"""Figures of a run, as Plotly figures: the data is the study's, nothing is recomputed."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import plotly.graph_objects as go

from compress.parameters import CompressionParameters
from objectives.quantity import FLOPS
from search.finalist import Finalist
from search.front import Point, cost_of, front
from search.results import ORIGINAL, Result
from search.trial_record import STOPPED, TrialRecord

_LAYOUT = {"template": "plotly_white", "margin": {"t": 50, "r": 20}, "legend": {"orientation": "h", "y": -0.2}}


def history(trials: Sequence[TrialRecord]) -> go.Figure:
    """Validation accuracy of every trial of a stage in order, at its last rung, and the best so far of the highest."""
    complete = [trial for trial in trials if trial.accuracy is not None]
    return _history(complete, [trial.accuracy or 0.0 for trial in complete], "accuracy", max)


def metric_history(trials: Sequence[TrialRecord]) -> go.Figure:
    """The same of the metric that the trials were ranked by, where it is neither accuracy nor loss."""
    complete = [trial for trial in trials if trial.value is not None]
    metric = complete[0].metric
    values = [trial.value or 0.0 for trial in complete]
    return _history(complete, values, metric.name, max if metric.direction == "maximize" else min)


def _history(
    complete: Sequence[TrialRecord], values: Sequence[float], name: str, better: Callable[[float, float], float]
) -> go.Figure:
    def ahead(one: tuple[int, float], other: tuple[int, float]) -> tuple[int, float]:
        """Figures of a higher rung count more, whatever they are."""
        return max(one, other) if one[0] != other[0] else (one[0], better(one[1], other[1]))

    numbers = [trial.number for trial in complete]
    # Of a front, the level of the run's own budget: the others are other tasks.
    own = [(trial, value) for trial, value in zip(complete, values, strict=True) if not trial.level]
    best = [value for _, value in accumulate(((trial.reached, value) for trial, value in own), ahead)]
    stage = next((f" of stage {trial.stage}" for trial in complete if trial.stage), "")
    figure = go.Figure(layout={**_LAYOUT, "title": f"Validation {name} of the trials{stage}"})
    figure.add_scatter(
        x=numbers,
        y=list(values),
        mode="markers",
        name="trial",
        text=[_label(trial) for trial in complete],
    )
    figure.add_scatter(
        x=[trial.number for trial, _ in own], y=best, mode="lines", name="best so far", line={"shape": "hv"}
    )
    figure.update_xaxes(title="trial")
    figure.update_yaxes(title=f"{name} on the validation split")
    return figure


def _label(trial: TrialRecord) -> str:
    stopped = f", stopped after {trial.steps} steps" if trial.state == STOPPED else ""
    return (trial.start or "sampler") + stopped


def accuracy_and_flops(
    results: Sequence[Result], trials: Sequence[TrialRecord] = (), finalists: Sequence[Finalist] = ()
) -> go.Figure:
    """Test accuracy against FLOPs of the original, the simple and the searched model, and the fronts behind them.

    The fronts are of validation images: of the trials after their short repair, and of the finalists.
    """
    figure = go.Figure(layout={**_LAYOUT, "title": "Accuracy against FLOPs"})
    for result in results:
        if result.accuracy is None:
            continue
        figure.add_scatter(
            x=[result.flops / 1e6],
            y=[result.accuracy],
            mode="markers+text",
            text=[result.label],
            textposition="bottom center" if result.label == ORIGINAL else "top center",
            marker={"size": 14},
            name=result.label,
        )
    _add_front(figure, front(trials, FLOPS), "trials, validation")
    _add_front(figure, front(finalists, FLOPS), "finalists, validation")
    figure.update_xaxes(title="MFLOPs", rangemode="tozero")
    figure.update_yaxes(title="accuracy")
    return figure


def _add_front(figure: go.Figure, points: Sequence[Point], name: str) -> None:
    if points:
        flops, accuracy = [cost_of(point, FLOPS) / 1e6 for point in points], [point.accuracy for point in points]
        text = [point.source for point in points]
        figure.add_scatter(x=flops, y=accuracy, mode="lines+markers", line={"shape": "hv"}, text=text, name=name)


def ratios(parameters: CompressionParameters) -> go.Figure:
    """The winner's pruning ratio of every group."""
    figure = go.Figure(layout={**_LAYOUT, "title": "Pruning ratios of the winner"})
    figure.add_bar(x=list(parameters.ratios), y=list(parameters.ratios.values()))
    figure.update_yaxes(title="fraction of channels removed", range=[0, 1])
    return figure


def ranks(parameters: CompressionParameters) -> go.Figure:
    """The winner's Tucker ranks of every decomposed layer."""
    figure = go.Figure(layout={**_LAYOUT, "title": "Tucker ranks of the winner", "barmode": "group"})
    for index, side in enumerate(("In Rank", "Out Rank")):
        figure.add_bar(x=list(parameters.ranks), y=[pair[index] for pair in parameters.ranks.values()], name=side)
    figure.update_yaxes(title="rank")
    return figure
