"""The command ``tuckprune search``, with its dry run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from configs.load import load_config
from configs.schema.run import RunConfig
from search.cli.command import command
from search.cli.console import INTERRUPTED, AsJson, ConfigPath, Overrides, arguments, console, print_json
from search.environment import import_tensorflow
from search.workers.shutdown import Shutdown

if TYPE_CHECKING:  # It loads TensorFlow.
    from search.runs.outcome import SearchOutcome


@command(order=40)
def search(
    config: ConfigPath,
    overrides: Overrides = None,
    address: Annotated[
        str | None, typer.Option(help="Of a running Ray cluster: auto, or host:port. Short for --set search.address.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Write nothing: check model, data and budget, try two trials on one worker, and estimate durations.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Search for the best ratios and ranks within the budget; the same command again resumes an interrupted search."""
    overrides = [*(overrides or ()), *([] if address is None else [f"search.address={address}"])]
    loaded = load_config(config, overrides)
    import_tensorflow()
    shown = console(as_json)
    if "latency" in loaded.budget.amounts:
        shown.print("latency of the layers: read from the run folder, or else measured on this machine")
    if dry_run:
        _dry_run(loaded, config, overrides, shown, as_json)
        return
    outcome = _run(loaded, config, overrides, shown)
    if as_json:
        print_json(_entry(outcome))


def _run(loaded: RunConfig, config: Path, overrides: list[str], shown: Console) -> "SearchOutcome":
    from objectives.cost.quantities.standard import FLOPS, PARAMS
    from search import settings
    from search.cli.progress import ProgressDisplay
    from search.pipeline.search import run_search

    limited, shutdown = settings.limited_quantities(loaded.budget), Shutdown(loaded.search.grace)
    try:
        with shutdown.on_sigterm(), ProgressDisplay(shown, limited) as display:
            outcome = run_search(loaded, display, shutdown)
    except KeyboardInterrupt:
        shown.print(f"interrupted; nothing is lost. Resume with: tuckprune search {arguments(config, overrides)}")
        raise typer.Exit(INTERRUPTED) from None
    winner = outcome.winner
    figures = dict.fromkeys([FLOPS, PARAMS, *limited])
    shown.print(
        f"winner of {len(outcome.trials)} trials: {winner.source}, {winner.figures}, "
        f"{', '.join(figure.text(winner.cost) for figure in figures)}\n"
        + (f"{outcome.remark}\n" if outcome.remark else "")
        + f"next: tuckprune export {outcome.folder.path}"
        + (f", or tuckprune front {outcome.folder.path} for its other budgets" if loaded.front else ""),
        highlight=False,
    )
    return outcome


def _entry(outcome: "SearchOutcome") -> dict[str, Any]:
    winner, parameters = outcome.winner, outcome.winner.parameters
    return {
        "run": str(outcome.folder.path),
        "trials": len(outcome.trials),
        "winner": {
            "source": winner.source,
            "figures": dict(winner.score.figures),
            "metric": winner.metric.name,
            "cost": winner.cost.stored(),
            "ratios": dict(parameters.ratios),
            "ranks": {layer: list(pair) for layer, pair in parameters.ranks.items()},
        },
    }


def _dry_run(loaded: RunConfig, config: Path, overrides: list[str], shown: Console, as_json: bool) -> None:
    from search.cli.choices_table import choices_entry, choices_table, chosen_layers
    from search.cli.dry_run_text import entry, lines
    from search.cli.progress import ProgressDisplay
    from search.pipeline.dry_run import dry_run

    tried = dry_run(loaded, ProgressDisplay(shown))
    for line in lines(tried):
        shown.print(line)
    chosen = chosen_layers(tried.job.space.graph, tried.job.space.settings.choices)
    if chosen:
        shown.print(choices_table(chosen))
    tried.check()
    shown.print(f"nothing was written. Start with: tuckprune search {arguments(config, overrides)}")
    if as_json:
        print_json(entry(tried) | {"choices": choices_entry(chosen)})
