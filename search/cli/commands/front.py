"""The command ``tuckprune front``: what a run offers, from the cheapest to the best."""

from rich.console import Console

from search.cli.command import command
from search.cli.console import AsJson, QuantityName, RunPath, print_json
from search.environment import import_tensorflow


@command(order=60)
def front(
    run: RunPath,
    quantity: QuantityName = None,
    as_json: AsJson = False,
) -> None:
    """List a run's front: its trials and finalists that nothing as cheap beats. Works while the search goes on.

    Figures are of the validation images. What was fine-tuned in the finals is compared with its like; the other trials,
    judged by a short repair, with all trials.
    """
    import_tensorflow()
    from search.cli import front_table
    from search.runs.points import RunPoints

    found = RunPoints.of(run)
    chosen = found.quantity(quantity)
    offered = found.points(chosen)
    if as_json:
        print_json([front_table.entry(point, chosen, found.original) for point in offered])
    else:
        title = f"{found.config.name}: accuracy against {chosen.unit}"
        Console().print(front_table.table(offered, chosen, found.original, title))
