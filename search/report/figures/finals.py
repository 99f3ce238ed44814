"""A chart of the finals: the score of finalists as trials, after a short repair, against their final score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from search.report.blocks import Chart
from search.report.figures import style
from search.report.figures.figure import figure
from search.report.figures.style import FINALISTS, MODELS
from search.report.run_view import RunView
from search.runs.results import ORIGINAL
from search.study.finalist import Finalist
from search.study.trial_record import TrialRecord

_FEWEST = 3


@dataclass(frozen=True)
class Reranked:
    """Finalists that were trials before, with both of their scores.

    Attributes:
        metric: name of the metric that they were ranked by.
        sources: of the finalists, such as ``trial 17``.
        before: the metric on the validation split as trials.
        after: the metric on the validation split after the whole recipe.
    """

    metric: str
    sources: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @classmethod
    def of(cls, trials: Sequence[TrialRecord], finalists: Sequence[Finalist]) -> Self | None:
        """The finalists of a run that were trials; None where there are none, as recommended values were no trial."""
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
        """Spearman's rank correlation; None for fewer than three finalists, or for figures that are all equal."""
        if len(self.before) < _FEWEST or len(set(self.before)) == 1 or len(set(self.after)) == 1:
            return None
        return float(np.corrcoef(_ranks(self.before), _ranks(self.after))[0, 1])


def _ranks(figures: Sequence[float]) -> NDArray[np.float64]:
    """The place of each figure, from the smallest; equal ones share the mean of theirs."""
    values = np.asarray(figures)
    return np.asarray((values[:, None] > values).sum(axis=1) + (values[:, None] == values).sum(axis=1) / 2)


@figure(section="finals", order=10)
def finals_charts(view: RunView) -> list[Chart]:
    """The chart of the finals; none for a run without finals."""
    reranked = Reranked.of(view.outcome.trials, view.outcome.finalists)
    return [] if reranked is None else [Chart("finals", proxy_and_final(reranked))]


def proxy_and_final(reranked: Reranked) -> go.Figure:
    """The score as a trial against the score after the whole recipe; the title shows the rank correlation."""
    rho = reranked.correlation
    agreement = "too few to correlate" if rho is None else f"Spearman correlation {rho:.2f}"
    made = style.empty_figure(f"Proxy against final {reranked.metric}: {agreement} of {len(reranked.sources)}")
    ends = [min(*reranked.before, *reranked.after), max(*reranked.before, *reranked.after)]
    made.add_scatter(
        x=ends,
        y=ends,
        name="equal",
        mode="lines",
        line={"dash": "dot", "color": MODELS[ORIGINAL], "width": 1},
        hoverinfo="skip",
    )
    made.add_scatter(
        x=list(reranked.before),
        y=list(reranked.after),
        text=list(reranked.sources),
        name="finalist",
        mode="markers+text",
        textposition="top center",
        cliponaxis=False,
        marker={"color": FINALISTS, "symbol": "diamond", "size": 12},
        hovertemplate="%{text}<br>as a trial %{x:.4f}<br>after the whole recipe %{y:.4f}<extra></extra>",
    )
    made.update_xaxes(title=f"{reranked.metric} as a trial")
    made.update_yaxes(title=f"{reranked.metric} after the whole recipe")
    return made
