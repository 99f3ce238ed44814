"""The dimensions of a search that matter most."""

import plotly.graph_objects as go

from search import figure_style
from search.importance import Importance, dimension_text
from search.palette import MODELS
from search.results import SEARCH

SHOWN = 40
"""Dimensions that are drawn; those behind them matter less than their noise."""


def importances(found: Importance, stage: str | None = None) -> go.Figure:
    """The share of each of the most important dimensions, the most important first."""
    shown = {dimension_text(name): share for name, share in list(found.shares.items())[:SHOWN]}
    made = figure_style.rows(f"Importance of ratios and ranks{f' in stage {stage}' if stage else ''}", list(shown), 1)
    made.add_bar(
        orientation="h",
        x=list(shown.values()),
        y=list(shown),
        name="importance",
        showlegend=False,
        marker={"color": MODELS[SEARCH]},
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    made.update_xaxes(title="share of the importance", tickformat=".0%", rangemode="tozero")
    return made
