"""Charts of a search's history: the score of every trial, and the best score so far."""

import math
from collections.abc import Sequence
from itertools import accumulate

import plotly.graph_objects as go

from search.report.blocks import Chart
from search.report.figures import style
from search.report.figures.accuracy import shown
from search.report.figures.figure import figure
from search.report.figures.style import MODELS
from search.report.run_view import RunView
from search.runs.results import SEARCH
from search.study.trial_record import COMPLETE, STOPPED, TrialRecord
from zoo.tasks.metric import ACCURACY, Metric


@figure(section="history", order=10)
def history_charts(view: RunView) -> list[Chart]:
    """The history of every stage."""
    return [
        Chart(f"history-{stage}-{number}", made)
        for stage, trials in enumerate(view.stages)
        for number, made in enumerate(histories(trials))
    ]


def histories(trials: Sequence[TrialRecord]) -> list[go.Figure]:
    """The history of the metric that the trials of a stage were ranked by, and of accuracy besides it."""
    return [history(trials, metric) for metric in shown(trials)]


def history(trials: Sequence[TrialRecord], metric: Metric = ACCURACY) -> go.Figure:
    """The metric of every trial of a stage at its last rung, and the best so far at the highest rung.

    Trials without a score, failed or over the budget, are drawn on the lower edge.
    """
    judged = [trial for trial in trials if trial.score is not None]
    stage = next((f" of stage {trial.stage}" for trial in trials if trial.stage), "")
    made = style.empty_figure(f"Validation {metric.name} of the trials{stage}")
    for state in (STOPPED, COMPLETE):
        own = [trial for trial in judged if trial.state == state]
        numbers, texts = [trial.number for trial in own], [style.label(trial) for trial in own]
        style.add_markers(made, state, numbers, [_figure(trial, metric) for trial in own], texts)
    style.add_unjudged(made, trials, {trial.number: trial.number for trial in trials})
    # Of a front only the level of the run's own budget: other levels cannot be compared with it.
    _add_best(made, [trial for trial in judged if not trial.level], metric)
    made.update_xaxes(title="trial")
    made.update_yaxes(title=f"{metric.name} on the validation split")
    if metric.unit == "%":
        made.update_yaxes(tickformat=style.PERCENT)
    return made


def _figure(trial: TrialRecord, metric: Metric) -> float:
    return math.nan if trial.score is None else trial.score.figure(metric)


def _add_best(made: go.Figure, own: Sequence[TrialRecord], metric: Metric) -> None:
    better = max if metric.direction == "maximize" else min

    def ahead(one: tuple[int, float], other: tuple[int, float]) -> tuple[int, float]:
        """The better of two pairs of rung and figure; any figure of a higher rung is better."""
        return max(one, other) if one[0] != other[0] else (one[0], better(one[1], other[1]))

    best = accumulate(((trial.reached, _figure(trial, metric)) for trial in own), ahead)
    made.add_scatter(
        x=[trial.number for trial in own],
        y=[value for _, value in best],
        name="best so far",
        mode="lines",
        line={"shape": "hv", "color": MODELS[SEARCH], "width": 2},
        hovertemplate="best after trial %{x}: %{y:.4f}<extra></extra>",
    )
