"""The points of a run as a table on the terminal, and as entries of JSON."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table

from objectives.accuracy.metric import ACCURACY
from objectives.cost.cost import Cost
from objectives.cost.quantity import Quantity
from search.runs.points import Point, cost_of
from search.study.finalist import Finalist


def entry(point: Point, quantity: Quantity, original: Cost) -> dict[str, Any]:
    """The figures of a point as JSON, with the factor by which its cost is below the original's."""
    figures = {} if point.score is None else point.score.figures(point.metric)
    cost = {} if point.cost is None else point.cost.stored()
    return {
        "source": point.source,
        "judged_after": judged_after(point),
        **figures,
        **cost,
        "factor": quantity.of(original) / cost_of(point, quantity),
    }


def table(offered: Sequence[Point], quantity: Quantity, original: Cost, title: str) -> Table:
    """The points by rising cost, with what they were ranked by, and how they were judged."""
    caption = "on validation images; write a point's files with: tuckprune export RUN --trial N, or --budget 40%"
    made = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    made.title_justify = made.caption_justify = "left"
    ranked_by = {point.metric.name for point in offered} - {"accuracy"}
    made.add_column("Point", no_wrap=True)
    for header in ("Accuracy", *sorted(ranked_by), "Cost", "Factor", "Judged after"):
        made.add_column(header, justify="right", no_wrap=True)
    for point in offered:
        cost = "" if point.cost is None else quantity.text(point.cost)
        factor = quantity.of(original) / cost_of(point, quantity)
        made.add_row(point.source, *_figures(point), cost, f"{factor:.2f}x", judged_after(point))
    return made


def judged_after(point: Point) -> str:
    """After which training the figures of a point were measured: a trial's last rung, where that is known."""
    if isinstance(point, Finalist):
        return "fine-tuning"
    return "short repair" if point.steps is None else f"{point.steps} steps"


def _figures(point: Point) -> tuple[str, ...]:
    """Accuracy, and the figure that candidates are ranked by where that is another one."""
    if point.score is None:
        return ("",)
    accuracy = f"{100 * point.score.accuracy:.2f} %"
    return (accuracy,) if point.metric == ACCURACY else (accuracy, f"{point.score.figure(point.metric):.4f}")
