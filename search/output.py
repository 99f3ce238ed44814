"""Where commands write: what machines read goes to standard output alone, and what people read beside it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Console


def console(as_json: bool, *, wrap: bool = True) -> Console:
    """Of what people read: standard output, unless JSON goes there.

    wrap: whether long lines are left to the terminal, as paths to be copied need it.
    """
    return Console(stderr=as_json, soft_wrap=wrap)


def print_json(entry: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print what machines read."""
    typer.echo(json.dumps(entry, indent=2))
