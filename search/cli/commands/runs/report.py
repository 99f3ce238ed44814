"""The command ``tuckprune report``: the comparison table and the HTML report."""

from search.cli.command import command
from search.cli.console import AsJson, RunPath, console, print_json


@command(order=100)
def report(run: RunPath, as_json: AsJson = False) -> None:
    """Print the comparison table; write report.html, with all figures of the search, and these as PNG."""
    from search.cli import tables
    from search.report.report import write_report
    from search.runs.results import read_results
    from search.runs.run_folder import RunFolder

    shown, folder = console(as_json), RunFolder(run)
    name, results = folder.config().name, read_results(folder.results)
    shown.print(tables.comparison(results, f"{name}: test figures and cost"), soft_wrap=False)
    written = write_report(run)
    for path in written.paths:
        shown.print(str(path))
    if written.without_pictures:
        shown.print(f"no pictures of the figures: {written.without_pictures}")
    if as_json:
        print_json({"files": [str(path) for path in written.paths], "results": [result.stored() for result in results]})
