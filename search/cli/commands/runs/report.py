"""The command ``tuckprune report``: the comparison table and the HTML report."""

from typing import Annotated

from typer import Option

from search.cli.command import command
from search.cli.console import AsJson, RunPath, console, print_json

Pictures = Annotated[bool, Option("--pictures", help="Also draw the figures as PNG files; takes the extra report.")]


@command(order=100)
def report(run: RunPath, pictures: Pictures = False, as_json: AsJson = False) -> None:
    """Print the comparison table; write report.html with all figures of the search."""
    from search.cli import tables
    from search.report.report import PICTURES, draw_pictures, old_pictures, write_report
    from search.runs.results import read_results
    from search.runs.run_folder import RunFolder

    shown, folder = console(as_json), RunFolder(run)
    name, results = folder.config().name, read_results(folder.results)
    shown.print(tables.comparison(results, f"{name}: test figures and cost"), soft_wrap=False)
    written = write_report(run)
    drawn = draw_pictures(written) if pictures else []
    for path in (*written.paths, *drawn):
        shown.print(str(path))
    if not pictures and old_pictures(run):
        shown.print(f"{run / PICTURES} is of an earlier report; --pictures draws it anew")
    if as_json:
        paths = [str(path) for path in (*written.paths, *drawn)]
        print_json({"files": paths, "results": [result.stored() for result in results]})
