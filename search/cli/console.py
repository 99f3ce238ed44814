"""What commands print with: consoles, quoted arguments, and the message of an interruption."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from configs.schema.storage import hide_passwords
from objectives.cost.quantity import quantities

ConfigPath = Annotated[Path, typer.Argument(help="YAML configuration of the run, for instance configs/digits.yaml.")]
RunPath = Annotated[Path, typer.Argument(help="Folder of the run, for instance runs/digits.")]
ModelPath = Annotated[Path, typer.Argument(help="A functional or Sequential Keras model: .keras, .h5, or SavedModel.")]


def _known_quantity(name: str | None) -> str | None:
    if name is not None and name not in quantities():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, quantities()))}")
    return name


QuantityName = Annotated[
    str | None,
    typer.Option(
        "--quantity",
        metavar=f"[{'|'.join(quantities())}]",
        callback=_known_quantity,
        help="What is traded for accuracy, default that of the run's front, or flops.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a key of the configuration: --set search.trials=10. Repeatable."),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON to standard output, and all else to standard error."),
]


def console(as_json: bool, *, wrap: bool = True) -> Console:
    """Of what people read: standard output, unless JSON goes there.

    wrap: whether long lines are left to the terminal, as paths to be copied need it.
    """
    return Console(stderr=as_json, soft_wrap=wrap)


def print_json(entry: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print what machines read."""
    typer.echo(json.dumps(entry, indent=2))


INTERRUPTED = 130
"""Exit code of what was stopped, and goes on with the same command."""


@contextmanager
def resumable(shown: Console, command: str) -> Iterator[None]:
    """Say of a training that is interrupted what is left of it.

    Raises:
        typer.Exit: with the code of an interruption.
    """
    try:
        yield
    except KeyboardInterrupt:
        shown.print(f"interrupted; whole epochs are kept. The same tuckprune {command} goes on from the last one")
        raise typer.Exit(INTERRUPTED) from None


def arguments(config: Path, overrides: Sequence[str] | None) -> str:
    """The configuration and its overrides, quoted for a shell; passwords are left out."""
    shown = [hide_passwords(override) for override in overrides or ()]
    return shlex.join([str(config), *(word for override in shown for word in ("--set", override))])
