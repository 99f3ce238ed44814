"""The command ``tuckprune export``: the parameter files of a run's winner, or of any other point of it."""

from pathlib import Path
from typing import Annotated

import typer

from search.cli.command import command
from search.cli.console import AsJson, QuantityName, RunPath, console, print_json


@command(order=70)
def export(
    run: RunPath,
    trial: Annotated[
        int | None, typer.Option("--trial", min=0, help="This trial instead of the winner, into a folder of its own.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="The best point of the Pareto front within this budget, into a folder of its own: 40%, 4x, 403.6M."
        ),
    ] = None,
    quantity: QuantityName = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files, default the run's, or runs/NAME/point-17 for trial 17.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the winner's parameter files: text listings, JSON, and NetsPresso's own for PR_L2 and FD_TK.

    --trial and --budget write those of another point of the run, as `tuckprune front` lists them.
    """
    if trial is not None and budget is not None:
        raise typer.BadParameter("expected either --trial or --budget")
    if quantity is not None and budget is None:
        raise typer.BadParameter("--quantity says what --budget limits; give a --budget")
    written = _written(run, trial, budget, quantity, out)
    if as_json:
        print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        console(False).print(str(path))


def _written(run: Path, trial: int | None, budget: str | None, quantity: str | None, out: Path | None) -> list[Path]:
    from search.runs.outcome import export_run
    from search.runs.points import RunPoints

    if trial is None and budget is None:
        return export_run(run, out)
    points = RunPoints.of(run)
    point = points.trial(trial) if trial is not None else points.within(str(budget), points.quantity(quantity))
    return points.export(point, out)
