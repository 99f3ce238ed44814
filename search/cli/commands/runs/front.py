"""The command ``tuckprune front``: the Pareto front of a run."""

from search.cli.command import command
from search.cli.console import AsJson, QuantityName, RunPath, console, print_json


@command(order=60)
def front(
    run: RunPath,
    quantity: QuantityName = None,
    as_json: AsJson = False,
) -> None:
    """List the Pareto front of a run: its metric against a cost. Works while the search goes on.

    Figures are of the validation images. Finalists, which are fine-tuned, form a front of their own; the other trials,
    judged after a short repair, another one.
    """
    from search.cli import front_table
    from search.runs.points import RunPoints

    points = RunPoints.of(run)
    chosen = points.quantity(quantity)
    offered = points.points(chosen)
    if as_json:
        print_json([front_table.entry(point, chosen, points.original) for point in offered])
    else:
        title = f"{points.config.name}: Pareto front of {offered[0].metric.name} against {chosen.unit}"
        console(False, soft_wrap=False).print(front_table.table(offered, chosen, points.original, title))
