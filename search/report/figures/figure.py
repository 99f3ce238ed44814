"""How a file of this folder adds figures to the report: by a function that is decorated with ``@figure``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compress.registration import registered
from search.report.blocks import Block
from search.report.run_view import RunView

Make = Callable[[RunView], Sequence[Block]]
"""Makes charts of a run, or a paragraph that says why there are none."""


@dataclass(frozen=True)
class Figure:
    """A kind of charts of the report.

    Attributes:
        section: name of the section that shows them.
        order: position within the section, the lowest first.
        make: makes the charts of a run.
    """

    section: str
    order: int
    make: Make


def figure(section: str, order: int) -> Callable[[Make], Figure]:
    """Register the decorated function as a figure of a section of the report; see `Figure`."""

    def decorate(make: Make) -> Figure:
        return Figure(section, order, make)

    return decorate


def figures_in(section: str, view: RunView) -> list[Block]:
    """All figures of a section, in their order."""
    ordered = sorted(registered("search.report.figures", Figure), key=lambda figure: figure.order)
    return [block for figure in ordered if figure.section == section for block in figure.make(view)]
