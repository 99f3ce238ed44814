"""The command line: one command for every stage of a run, ``tuckprune --help`` lists them."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from compress.errors import TuckpruneError
from configs.load import load_config
from configs.schema import RunConfig
from configs.storage import hide_passwords
from search.arguments import ModelPath, Overrides, RunPath
from search.dashboard_command import dashboard
from search.environment import import_tensorflow
from search.export_command import export
from search.front_command import front
from search.inspect_command import inspect
from search.judge_command import judge
from search.recommend_command import recommend
from search.resumable import resumable
from search.search_command import search
from search.ship_command import FormatChoice, chosen, ship, ship_apart
from search.status_command import status
from search.train_command import train

FAILED = 1

app = typer.Typer(
    help="Search-based compression of Keras 3 CNNs: per-layer pruning ratios and Tucker ranks.\n\n"
    "A run is one configuration file and one folder: [bold]train[/] (or bring a .keras file), [bold]search[/], "
    "[bold]export[/] the winner's parameter files, [bold]compress[/] with them, [bold]ship[/], [bold]report[/].",
    epilog="Exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 130 stopped by Ctrl-C or SIGTERM, and the "
    "same command goes on. With --json, standard output holds JSON and nothing else.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; every error that tuckprune foresees is one line and exit code 1."""
    try:
        app()
    except TuckpruneError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"error: {hide_passwords(str(error))}", style="red", markup=False, highlight=False
        )
        sys.exit(FAILED)


app.command()(train)
app.command()(inspect)
app.command()(recommend)
app.command()(search)
app.command()(status)
app.command()(front)
app.command()(export)


@app.command()
def compress(
    model: ModelPath,
    params: Annotated[
        list[Path] | None,
        typer.Option(
            help="Own values: a parameter file, text, JSON, or NetsPresso's. Repeatable: pruning.txt, ranks.txt."
        ),
    ] = None,
    recommended: Annotated[
        bool, typer.Option("--recommend", help="Recommended values instead: SLAMP ratios and VBMF ranks at the budget.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="Configuration with the data, the recipe and the fine-tuning.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Without a configuration, so without fine-tuning: the new .keras file.")
    ] = None,
    formats: Annotated[
        list[FormatChoice] | None,
        typer.Option("--format", help="Then ship the result in this format as well, as ship does. Repeatable."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Simple compression: prune, fine-tune, decompose, fine-tune, with own or recommended values."""
    _check_options(bool(params), recommended, config, out)
    if formats and config is None:
        raise typer.BadParameter("--format needs --config, for the images that the formats are compared on")
    loaded = _config(config, overrides) if config else None
    import_tensorflow()
    if formats:
        from search.shipment import check_installed

        check_installed(chosen(formats))
    from search import compression

    console = Console(soft_wrap=True)

    say = partial(console.print, highlight=False)
    with resumable(console, "compress"):
        if loaded is not None and recommended:
            made = compression.compress_recommended(model, loaded, say)
        elif loaded is not None:
            own = compression.read_own(params or [])
            made = compression.compress_own(model, own.parameters, loaded, say, made_for=own.made_for)
        else:
            own = compression.read_own(params or [])
            made = compression.compress_without_data(model, own.parameters, out or Path(), own.made_for)
    accuracy = "not fine-tuned" if made.result.accuracy is None else f"test accuracy {100 * made.result.accuracy:.2f} %"
    say(
        f"{made.path}: {accuracy}, {made.result.flops / 1e6:.2f} MFLOPs, {made.result.params / 1e6:.3f} M parameters, "
        f"{made.result.size / 1e6:.2f} MB"
    )
    if formats and config is not None and (code := ship_apart(made.path, config, formats, overrides or ())):
        raise typer.Exit(code)


app.command()(ship)


@app.command()
def report(run: RunPath) -> None:
    """Print the comparison table; write report.html, with all figures of the search, and these as PNG."""
    import_tensorflow()
    from search import table
    from search.report import write_report
    from search.results import read_results
    from search.run_folder import RunFolder

    console = Console(soft_wrap=True)
    folder = RunFolder(run)
    name = folder.config().name
    Console().print(table.comparison(read_results(folder.results), f"{name}: test accuracy and cost"))
    written = write_report(run)
    for path in written.paths:
        console.print(path, highlight=False)
    if written.without_pictures:
        console.print(f"no pictures of the figures: {written.without_pictures}", highlight=False, markup=False)


app.command()(dashboard)
app.command()(judge)


def _check_options(own: bool, recommended: bool, config: Path | None, out: Path | None) -> None:
    if own == recommended:
        raise typer.BadParameter("expected either --params FILE or --recommend")
    if recommended and config is None:
        raise typer.BadParameter("--recommend needs --config, for the budget, the data and the fine-tuning")
    if (config is None) == (out is None):
        raise typer.BadParameter("expected either --config CONFIG (fine-tunes, writes to its run folder) or --out FILE")


def _config(path: Path, overrides: list[str] | None) -> RunConfig:
    return load_config(path, overrides or ())
