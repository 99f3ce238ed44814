"""Shared parts of the commands: types of their arguments, consoles, JSON output, and interruptions."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from compress.errors import escaped
from configs.schema.storage import hide_passwords
from objectives.cost.quantity import quantities

INTERRUPTED = 130
"""Exit code of an interrupted command, which the same command line resumes."""

ConfigPath = Annotated[Path, typer.Argument(help="YAML configuration of the run, for instance configs/digits.yaml.")]
RunPath = Annotated[Path, typer.Argument(help="Folder of the run, for instance runs/digits.")]
ModelPath = Annotated[Path, typer.Argument(help="A Keras model: .keras, .h5, or SavedModel.")]


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
        help="The cost that is traded for accuracy; default: that of the run's front, or flops.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Override a key of the configuration: --set search.trials=10, of a layer: "
        "--set space.layers.layer1.0.conv1.ratio=0.5. Repeatable.",
    ),
]
CustomObjects = Annotated[
    str | None,
    typer.Option(
        "--custom-objects",
        metavar="MODULE",
        help="Module with the model's custom layers; it is imported.",
    ),
]
AcrossNormalization = Annotated[
    bool,
    typer.Option(
        "--across-normalization",
        help="Also remove channels over which a layer normalizes, as layer normalization does; not exact there. "
        "In a configuration: pruning.across_normalization.",
    ),
]
MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="slamp|inner|sensitivity",
        help="Source of recommended ratios: slamp (NPTK's, by the weights alone), inner (one ratio for the layers "
        "within residual blocks, whose sums stay whole), or sensitivity (and of ranks: by a sensitivity sweep at the "
        "budget of a configuration, without trials; needs the data). Short for --set simple.method.",
    ),
]
InputSize = Annotated[
    str | None,
    typer.Option(
        "--input-size",
        metavar="SIZE",
        help="Image size, 224 or 224x160, at which the cost of a model that takes any size is counted.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON to standard output, and all other lines to standard error."),
]


class PlainConsole(Console):
    """A console that prints text literally: no markup, no emoji codes, no highlighting, control characters escaped.

    Names of files and layers and texts of errors may contain ``[/]``, ``:x:`` or an escape sequence.
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = True) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text of a line or of a table's cell; line ends are kept."""
        return super().render_str("\n".join(map(escaped, text.split("\n"))), **options)


def console(as_json: bool, *, soft_wrap: bool = True) -> Console:
    """The console for what people read: standard output, or standard error where JSON goes to standard output.

    soft_wrap: whether the terminal wraps long lines, so that paths can be copied; False for tables.
    """
    return PlainConsole(stderr=as_json, soft_wrap=soft_wrap)


def image_size(text: str | None, option: str = "--input-size") -> tuple[int, ...] | None:
    """The numbers of an option for a size: 224 or, height by width, 224x160.

    Raises:
        typer.BadParameter: another text.
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 3 or not all(part.isascii() and part.isdecimal() and 0 < int(part) < 10**6 for part in parts):
        raise typer.BadParameter(f"{option}: expected 224 or, height by width, 224x160, received {text!r}")
    return tuple(map(int, parts))


def check_across(across_normalization: bool, config: Path | None) -> None:
    """Refuse ``--across-normalization`` together with a configuration, which has a key for it."""
    if across_normalization and config is not None:
        raise typer.BadParameter(
            "--across-normalization is for a command without --config: set pruning.across_normalization there"
        )


METHODS = ("slamp", "inner", "sensitivity")


def check_method(method: str | None, recommended: bool, by_config: bool) -> None:
    """Refuse a ``--method`` that there is not, or that lacks what it needs.

    Args:
        method: as it was given; None where it was not.
        recommended: whether values are recommended at all.
        by_config: whether a configuration says how much is compressed.
    """
    if method is None:
        return
    if method not in METHODS:
        raise typer.BadParameter(f"--method: expected {', '.join(METHODS)}, received {method!r}")
    if not recommended:
        raise typer.BadParameter("--method is of recommended values; give --recommend")
    if method == "sensitivity" and not by_config:
        raise typer.BadParameter("--method sensitivity sweeps at the budget of a configuration; give --config alone")


def with_method(overrides: Sequence[str] | None, method: str | None) -> list[str]:
    """Overrides of a configuration, with ``--method`` as one of them if it is given."""
    return [*(overrides or ()), *([] if method is None else [f"simple.method={method}"])]


def print_json(entry: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print a result as JSON to standard output."""
    typer.echo(json.dumps(entry, indent=2))


def arguments(config: Path, overrides: Sequence[str] | None) -> str:
    """The configuration and its overrides, quoted for a shell; passwords are left out."""
    shown = [hide_passwords(override) for override in overrides or ()]
    return shlex.join([str(config), *(word for override in shown for word in ("--set", override))])


@contextmanager
def resumable(shown: Console, command: str) -> Iterator[None]:
    """Print how to resume where the training in this context is interrupted.

    Raises:
        typer.Exit: with the code of an interruption.
    """
    try:
        yield
    except KeyboardInterrupt:
        shown.print(f"interrupted; finished epochs are kept. Resume with the same 'tuckprune {command}' command")
        raise typer.Exit(INTERRUPTED) from None
