"""What a command says that was stopped, and that the same command takes up again."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

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
