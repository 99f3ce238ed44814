"""The command line: one command for every stage of a run, ``tuckprune --help`` lists them."""

import sys
import traceback
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import Any

import typer

from compress.errors import RunError, TuckpruneError, one_line, typed_line
from configs.schema.storage import hide_passwords
from search.cli.command import commands
from search.cli.console import console

FAILED = 1

app = typer.Typer(
    help="Search-based compression of Keras 3 CNNs: per-layer pruning ratios and Tucker ranks.\n\n"
    "A run is one configuration file and one folder: [bold]train[/] (or bring a .keras file), [bold]search[/], "
    "[bold]export[/] the winner's parameter files, [bold]compress[/] with them, [bold]ship[/], [bold]report[/].",
    epilog="Exit codes: 0 done; 1 an error, printed as one line; 2 wrong usage; 130 stopped by Ctrl-C or SIGTERM, and "
    "the same command goes on. With --json, standard output holds JSON and nothing else.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; a `TuckpruneError` is printed as one line, with exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # Escapes characters that the terminal's encoding lacks.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except TuckpruneError as error:
        console(True).print(f"error: {one_line(hide_passwords(str(error)), None)}", style="red")
        sys.exit(FAILED)


def _refusing_exits(run: Callable[..., None]) -> Callable[..., None]:
    """The command, with an error where loaded code, such as a user's layer, calls `sys.exit`."""

    @wraps(run)
    def guarded(*arguments: Any, **options: Any) -> None:
        try:
            run(*arguments, **options)
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            if isinstance(error.__context__, BrokenPipeError):  # The reader of the output, such as head, has ended.
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise RunError(
                f"expected code that returns or raises an error, received {typed_line(error)} from line {place.lineno} "
                f"of '{place.filename}', before '{run.__name__}' was done; correct it"
            ) from error

    return guarded


for command in commands():
    app.command()(_refusing_exits(command.run))
