"""Charts of how much each dimension of the search space matters for the score, by PED-ANOVA."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import optuna
import plotly.graph_objects as go
from optuna.trial import TrialState

from search.report.blocks import Block, Chart, Paragraph
from search.report.figures import style
from search.report.figures.figure import figure
from search.report.figures.style import MODELS
from search.report.run_view import RunView
from search.runs.results import SEARCH

_BEST = 0.2
_AMONG_BEST = 5
NEEDED = math.ceil(_AMONG_BEST / _BEST)
"""Trials below which importances are noise, so that at least five are among the best fifth."""


@dataclass(frozen=True)
class Importance:
    """Importances of a study.

    Attributes:
        trials: number of trials that were judged at the last rung.
        shares: importance of every dimension, the largest first, with the sum 1; empty for too few trials.
    """

    trials: int
    shares: Mapping[str, float]


def importance_of(study: optuna.Study) -> Importance:
    """How much the best fifth of a study's trials differs from all trials in each dimension.

    Takes a tenth of a second for hundreds of trials of a hundred dimensions. Of a front, the best trials are those that
    are nearest to it.
    """
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(trials) < NEEDED:
        return Importance(len(trials), {})
    # Here, because scikit-learn comes with it, whose forests are for another kind of importance.
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    evaluator = PedAnovaImportanceEvaluator(target_quantile=_BEST)
    return Importance(len(trials), get_param_importances(study, evaluator=evaluator))


def dimension_text(name: str) -> str:
    """The label of a dimension: ``add_2 · ratio`` for ``keep:add_2``, ``conv1 · In`` for ``rank_in:conv1``."""
    kind, _, layer = name.partition(":")
    meaning = {"keep": "ratio", "rank_in": "In", "rank_out": "Out"}[kind]
    return f"{layer} · {meaning}"


SHOWN = 40
"""Dimensions that are drawn, at most; the importance of the others is smaller than its noise."""


@figure(section="importance", order=10)
def importance_charts(view: RunView) -> list[Block]:
    """A chart for every stage, or a paragraph that says how many trials are needed."""
    blocks: list[Block] = []
    for number, study in enumerate(view.studies):
        importance, stage = importance_of(study), view.config.recipe[number] if len(view.studies) > 1 else None
        if importance.shares:
            blocks.append(Chart(f"importance-{number}", importances(importance, stage), _caption(importance)))
        else:
            blocks.append(_too_few(importance, stage))
    return blocks


def _too_few(importance: Importance, stage: str | None) -> Paragraph:
    where = f"stage {stage}: " if stage else ""
    return Paragraph(
        f"{where}{importance.trials} trials reached the last rung, too few to tell: expected {NEEDED} or more."
    )


def _caption(importance: Importance) -> str:
    left = len(importance.shares) - SHOWN
    others = f" The {left} that matter least are left out." if left > 0 else ""
    return (
        f"How far the best fifth of {importance.trials} trials differs from all of them (PED-ANOVA). Of fewer than a "
        f"few hundred trials, only large differences mean something.{others}"
    )


def importances(importance: Importance, stage: str | None = None) -> go.Figure:
    """Horizontal bars of the importances, the largest first."""
    shown = {dimension_text(name): share for name, share in list(importance.shares.items())[:SHOWN]}
    made = style.empty_rows(f"Importance of ratios and ranks{f' in stage {stage}' if stage else ''}", list(shown), 1)
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
