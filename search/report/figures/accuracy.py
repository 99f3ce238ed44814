"""Charts of the metric against cost, with all trials, the finalists, and the models of the comparison."""

from collections.abc import Sequence

import plotly.graph_objects as go

from objectives.cost.quantities.standard import FLOPS, SIZE
from objectives.cost.quantity import Quantity
from search import settings
from search.report.blocks import Chart
from search.report.figures import style
from search.report.figures.figure import figure
from search.report.figures.style import FINALISTS, MODELS, STATES
from search.report.run_view import RunView
from search.runs.points import Point, cost_of, front
from search.runs.results import ORIGINAL, Result
from search.study.finalist import Finalist
from search.study.trial_record import COMPLETE, STOPPED, TrialRecord
from zoo.tasks.metric import ACCURACY, Metric

_CAPTION = (
    "Stars: test images, after fine-tuning. Circles: validation images, after the short repair of a trial. Dotted: the "
    "budget."
)


@figure(section="accuracy", order=10)
def accuracy_charts(view: RunView) -> list[Chart]:
    """The ranking metric, and accuracy besides another metric, against FLOPs and all quantities of the budget."""
    limited, trials = settings.limited_quantities(view.config.budget), view.outcome.trials
    charts = []
    for metric in shown(trials, view.results):
        for quantity in dict.fromkeys([FLOPS, *limited]):
            limit = view.layers.budget.limit(quantity) if view.layers else None
            most = limit.most if limit else None
            made = accuracy_against(quantity, view.results, trials, view.outcome.finalists, most, metric)
            charts.append(Chart(f"{metric.name}-{quantity.name}", made, _CAPTION))
    return charts


def shown(trials: Sequence[TrialRecord], results: Sequence[Result] = ()) -> list[Metric]:
    """The metrics to draw: the one that candidates are ranked by, and a classifier's accuracy besides it."""
    scores = [trial.score for trial in trials if trial.score is not None]
    ranked = [trial.metric for trial in trials if trial.score is not None]
    ranked += [metric for result in results for metric in result.metrics if metric.name == result.ranked_by]
    first = ranked[0] if ranked else ACCURACY
    others = [ACCURACY] if first != ACCURACY and any(ACCURACY.name in score.figures for score in scores) else []
    return [first, *others]


def accuracy_against(
    quantity: Quantity,
    results: Sequence[Result],
    trials: Sequence[TrialRecord] = (),
    finalists: Sequence[Finalist] = (),
    most: float | None = None,
    metric: Metric | None = None,
) -> go.Figure:
    """A metric against cost: trials and finalists on validation images, models of the comparison on test images.

    Models are left out of a chart of sizes: theirs are sizes of files, those of trials sizes of the weights.

    Args:
        quantity: of the cost, for the horizontal axis.
        results: of the models; those without the metric or the quantity are left out.
        trials: of the run; those without a score are drawn on the lower edge.
        finalists: of the run; those without a score are left out.
        most: the budget's limit of the quantity; None for none.
        metric: for the vertical axis; None for the one that candidates are ranked by.
    """
    unit, metric = quantity.shown.partition(" ")[2], metric or shown(trials, results)[0]
    made = style.empty_figure(f"{metric.title} against {unit}")
    for state in (STOPPED, COMPLETE):
        own = [trial for trial in trials if trial.state == state]
        costs = [cost_of(trial, quantity) / quantity.scale for trial in own]
        texts = [style.label(trial) for trial in own]
        figures = [trial.score.figure(metric) if trial.score else 0.0 for trial in own]
        style.add_markers(made, state, costs, figures, texts)
    style.add_unjudged(made, trials, {trial.number: cost_of(trial, quantity) / quantity.scale for trial in trials})
    _add_front(
        made, front(trials, quantity), quantity, metric, "Pareto front of the trials", STATES[COMPLETE], "circle"
    )
    _add_front(
        made, front(finalists, quantity), quantity, metric, "Pareto front of the finalists", FINALISTS, "diamond"
    )
    _add_models(made, results, quantity, metric)
    if most is not None:
        made.add_vline(x=most / quantity.scale, line={"dash": "dot", "width": 1, "color": MODELS[ORIGINAL]})
    made.update_xaxes(title=unit, rangemode="tozero")
    made.update_yaxes(title=metric.name, tickformat=style.PERCENT if metric.unit == "%" else None)
    return made


def _add_front(
    made: go.Figure,
    points: Sequence[Point],
    quantity: Quantity,
    metric: Metric,
    name: str,
    colour: str,
    symbol: str,
) -> None:
    if not points:
        return
    ranked = points[0].metric
    # Accuracy need not rise along the front of another metric.
    mode, suffix = ("lines+markers", "") if metric == ranked else ("markers", f", by {ranked.name}")
    made.add_scatter(
        x=[cost_of(point, quantity) / quantity.scale for point in points],
        y=[point.score.figure(metric) for point in points if point.score is not None],
        text=[point.source for point in points],
        name=f"{name}{suffix}",
        mode=mode,
        line={"shape": "hv", "color": colour, "width": 2},
        marker={"symbol": symbol, "size": 9, "color": colour},
        hovertemplate="%{text}<br>%{x}, %{y:.4f}<extra></extra>",
    )


def _label_positions(results: Sequence[Result], metric: Metric) -> dict[str, str]:
    """Position of each model's name beside its star, chosen so that the names of nearby stars do not overlap."""
    names = [result.label for result in sorted(results, key=lambda one: one.figures[metric.name], reverse=True)]
    compressed = [name for name in names if name != ORIGINAL]
    positions = dict.fromkeys(compressed, "middle right")
    if len(compressed) > 1:
        positions |= {compressed[0]: "top right", compressed[-1]: "bottom right"}
    return positions | {ORIGINAL: "middle left"}


def _add_models(made: go.Figure, results: Sequence[Result], quantity: Quantity, metric: Metric) -> None:
    costs = [(one, one.figure(quantity.name)) for one in results if metric.name in one.figures and quantity != SIZE]
    drawn = [(one, cost) for one, cost in costs if cost is not None]
    positions = _label_positions([one for one, _ in drawn], metric)
    for result, cost in drawn:
        name = result.label.capitalize()
        made.add_scatter(
            x=[cost / quantity.scale],
            y=[result.figures[metric.name]],
            text=[f"<b> {name} </b>"],
            name=f"{name}, test",
            mode="markers+text",
            textposition=positions[result.label],
            textfont={"color": MODELS.get(result.label, FINALISTS)},
            marker={
                "size": 16,
                "symbol": "star",
                "color": MODELS.get(result.label, FINALISTS),
                "line": {"width": 1, "color": "white"},
            },
            hovertemplate="%{text}<br>%{x}, %{y:.4f} on test images<extra></extra>",
        )
