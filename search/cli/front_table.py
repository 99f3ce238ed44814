"""The points of a run as a table on the terminal, and as entries of JSON."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table

from objectives.cost.cost import Cost
from objectives.cost.quantity import Quantity
from search.runs.points import Point, cost_of
from search.study.finalist import Finalist
from zoo.tasks.metric import Metric


def entry(point: Point, quantity: Quantity, original: Cost) -> dict[str, Any]:
    """The figures of a point for JSON, with the factor by which it is smaller than the original."""
    figures = {} if point.score is None else point.score.figures
    cost = {} if point.cost is None else point.cost.stored()
    return {
        "source": point.source,
        "judged_after": judged_after(point),
        **figures,
        **cost,
        "factor": quantity.of(original) / cost_of(point, quantity),
    }


def table(offered: Sequence[Point], quantity: Quantity, original: Cost, title: str) -> Table:
    """The points by rising cost, with the metric that they are ranked by, and how they were judged."""
    caption = "on validation images; write a point's files with: tuckprune export RUN --trial N, or --budget 40%"
    made = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    made.title_justify = made.caption_justify = "left"
    metrics = {point.metric.name: point.metric for point in offered}
    made.add_column("Point", no_wrap=True)
    for header in (*(metric.title for metric in metrics.values()), "Cost", "Factor", "Judged after"):
        made.add_column(header, justify="right", no_wrap=True)
    for point in offered:
        cost = "" if point.cost is None else quantity.text(point.cost)
        factor = quantity.of(original) / cost_of(point, quantity)
        made.add_row(point.source, *_figures(point, metrics.values()), cost, f"{factor:.2f}x", judged_after(point))
    return made


def judged_after(point: Point) -> str:
    """The training before a point was scored: fine-tuning, the steps of a trial's last rung, or a short repair."""
    if isinstance(point, Finalist):
        return "fine-tuning"
    return "short repair" if point.steps is None else f"{point.steps} steps"


def _figures(point: Point, metrics: Iterable[Metric]) -> tuple[str, ...]:
    """A point's figures of these metrics."""
    score = point.score
    return tuple("" if score is None else metric.cell(score.figure(metric)) for metric in metrics)
