"""How a file of ``search/cli/commands`` adds a command: by a function that is decorated with ``@command``."""

from collections.abc import Callable
from dataclasses import dataclass

from compress.registration import registered

_PACKAGES = ("search.cli.commands", "search.cli.commands.runs")


@dataclass(frozen=True)
class Command:
    """A command of ``tuckprune``.

    Attributes:
        order: place in the help text, the lowest first.
        run: function that Typer makes the command of: its name, options and docstring are the command's.
    """

    order: int
    run: Callable[..., None]


def command(order: int) -> Callable[[Callable[..., None]], Command]:
    """Make a function a command of ``tuckprune``; `order` is its place in the help text."""

    def decorate(run: Callable[..., None]) -> Command:
        return Command(order, run)

    return decorate


def commands() -> list[Command]:
    """All commands, in the order of the help text."""
    made = [one for package in _PACKAGES for one in registered(package, Command)]
    return sorted(made, key=lambda command: command.order)
