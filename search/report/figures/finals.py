"""The finals: what a short repair said of a candidate, and what the whole recipe made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import plotly.graph_objects as go
from scipy.stats import spearmanr

from search.report.figures import style as figure_style
from search.report.figures.style import FINALISTS, MODELS
from search.runs.results import ORIGINAL
from search.study.finalist import Finalist
from search.study.trial_record import TrialRecord

_FEWEST = 3


@dataclass(frozen=True)
class Reranked:
    """Finalists that were trials before, with the figures that they were ranked by.

    Attributes:
        metric: name of what they were ranked by.
        sources: of each.
        before: figure on the validation split as a trial.
        after: figure on the validation split after the whole recipe.
    """

    metric: str
    sources: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @classmethod
    def of(cls, trials: Sequence[TrialRecord], finalists: Sequence[Finalist]) -> Self | None:
        """Those of a run, None where there are none; recommended values were never a trial."""
        known = {trial.source: trial.score for trial in trials if trial.score is not None}
        both = [finalist for finalist in finalists if finalist.source in known and finalist.score is not None]
        if not both:
            return None
        metric = both[0].metric
        before = tuple(known[finalist.source].figure(metric) for finalist in both)
        after = tuple(finalist.score.figure(metric) for finalist in both if finalist.score is not None)
        return cls(metric.name, tuple(finalist.source for finalist in both), before, after)

    @property
    def correlation(self) -> float | None:
        """Spearman's, None of fewer than three or of figures that are all the same."""
        if len(self.before) < _FEWEST or len(set(self.before)) == 1 or len(set(self.after)) == 1:
            return None
        return float(spearmanr(self.before, self.after).statistic)


def proxy_and_final(found: Reranked) -> go.Figure:
    """Figure as a trial against figure after the whole recipe; the title tells how far the ranks agree."""
    rho = found.correlation
    agreement = "too few to correlate" if rho is None else f"Spearman correlation {rho:.2f}"
    made = figure_style.figure(f"Proxy against final {found.metric}: {agreement} of {len(found.sources)}")
    ends = [min(*found.before, *found.after), max(*found.before, *found.after)]
    made.add_scatter(
        x=ends,
        y=ends,
        name="equal",
        mode="lines",
        line={"dash": "dot", "color": MODELS[ORIGINAL], "width": 1},
        hoverinfo="skip",
    )
    made.add_scatter(
        x=list(found.before),
        y=list(found.after),
        text=list(found.sources),
        name="finalist",
        mode="markers+text",
        textposition="top center",
        cliponaxis=False,
        marker={"color": FINALISTS, "symbol": "diamond", "size": 12},
        hovertemplate="%{text}<br>as a trial %{x:.4f}<br>after the whole recipe %{y:.4f}<extra></extra>",
    )
    made.update_xaxes(title=f"{found.metric} as a trial")
    made.update_yaxes(title=f"{found.metric} after the whole recipe")
    return made
