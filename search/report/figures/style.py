"""Colours, fonts and margins that all figures share."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import plotly.graph_objects as go

from search.runs.results import INNER, ORIGINAL, SEARCH, SENSITIVITY, SIMPLE
from search.study.trial_record import COMPLETE, FAILED, INFEASIBLE, STOPPED, TrialRecord

MODELS: Mapping[str, str] = MappingProxyType(
    {ORIGINAL: "#7d8794", SIMPLE: "#e08a00", INNER: "#8a6d3b", SENSITIVITY: "#b5498f", SEARCH: "#1f83d6"}
)
"""Colours of models by the label of their result."""

STATES: Mapping[str, str] = MappingProxyType(
    {COMPLETE: "#0fa679", STOPPED: "#cc79a7", INFEASIBLE: "#7d8794", FAILED: "#d55e00"}
)
"""Colours by the state of a trial."""

SYMBOLS: Mapping[str, str] = MappingProxyType(
    {COMPLETE: "circle", STOPPED: "circle-open", INFEASIBLE: "line-ns-open", FAILED: "x"}
)
"""Markers by the state of a trial, so that not only the colour tells states apart."""

STATE_NAMES: Mapping[str, str] = MappingProxyType(
    {COMPLETE: "trial", STOPPED: "trial, stopped early", INFEASIBLE: "over the budget", FAILED: "failed"}
)
"""Texts of legends by the state of a trial."""

FINALISTS = "#8c6bd1"
"""Colour of what was fine-tuned in the finals."""

_HEIGHT, _BAR, _GAP, _AROUND = 476, 9, 9, 136
PERCENT = ".4~p"
"""Format of accuracies on an axis."""
_OPAQUE, _FAINT = 1.0, 0.85


def empty_figure(title: str, height: int = _HEIGHT) -> go.Figure:
    """An empty figure without colours of its own: the page has some, and so has the picture."""
    return go.Figure(
        layout={
            # At the top, for a legend of two rows to have room below.
            "title": {"text": title, "y": 1.0, "yanchor": "top", "pad": {"t": 14}},
            "template": "none",
            "height": height,
            "margin": {"t": 96, "r": 24, "b": 56, "l": 64},
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0.0},
            "hoverlabel": {"align": "left"},
        }
    )


def empty_rows(title: str, names: Sequence[str], bars: int) -> go.Figure:
    """An empty figure of horizontal bars, as high as its rows need; the first row is on top.

    Args:
        title: of the figure.
        names: of the rows.
        bars: in every row.
    """
    made = empty_figure(title, _AROUND + len(names) * (bars * _BAR + _GAP))
    made.update_layout(barmode="group", bargap=0.3, bargroupgap=0.0)
    made.update_yaxes(type="category", categoryorder="array", categoryarray=list(names), autorange="reversed")
    made.update_yaxes(showgrid=False, ticks="outside", ticklen=4, tickcolor="rgba(0,0,0,0)")
    made.update_yaxes(automargin=True, tickmode="array", tickvals=list(names), ticktext=list(names))
    return made


def add_markers(made: go.Figure, state: str, x: Sequence[float], y: Sequence[float], text: Sequence[str]) -> None:
    """Draw the trials of one state, if there are any."""
    if x:
        made.add_scatter(
            x=list(x),
            y=list(y),
            text=list(text),
            name=STATE_NAMES[state],
            mode="markers",
            marker=_marker(state),
            hovertemplate="%{text}<br>%{x}, %{y:.4f}<extra></extra>",
        )


def add_unjudged(made: go.Figure, trials: Sequence[TrialRecord], x: Mapping[int, float]) -> None:
    """Draw trials without a score, failed or over the budget, on the edge where the metric is worst.

    Args:
        made: the figure.
        trials: all trials of it.
        x: horizontal position of each trial, by its number.
    """
    least = any(trial.metric.direction == "minimize" for trial in trials if trial.score is not None)
    edge = 1.0 if least else 0.0
    for state in (INFEASIBLE, FAILED):
        unjudged = [trial for trial in trials if trial.state == state]
        if unjudged:
            made.add_scatter(
                x=[x[trial.number] for trial in unjudged],
                y=[edge] * len(unjudged),
                text=[label(trial) for trial in unjudged],
                yaxis="y2",
                name=STATE_NAMES[state],
                mode="markers",
                marker=_marker(state),
                cliponaxis=False,
                hovertemplate="%{text}<extra></extra>",
            )
            made.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})


def label(trial: TrialRecord) -> str:
    """Text that appears when the reader points at a trial."""
    parts = [trial.source, trial.start or "sampler"]
    parts += [f"stopped after {trial.steps} steps"] if trial.state == STOPPED else []
    parts += ["over the budget"] if trial.state == INFEASIBLE else []
    parts += [f"failed: {trial.error}"] if trial.state == FAILED else []
    parts += [f"as trial {trial.repeats}, which it repeats"] if trial.repeats is not None else []
    parts += [f"level {trial.level}"] if trial.level is not None else []
    return ", ".join(parts)


def _marker(state: str) -> dict[str, Any]:
    open_marker = SYMBOLS[state].endswith("-open")
    opacity = _OPAQUE if open_marker else _FAINT
    return {"color": STATES[state], "symbol": SYMBOLS[state], "size": 8, "opacity": opacity, "line": {"width": 2}} | (
        {} if open_marker else {"line": {"width": 0}}
    )
