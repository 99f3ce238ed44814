"""How a file of this folder adds a section to the report: by a function that is decorated with ``@section``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compress.registration import registered
from search.report.blocks import Block, Section
from search.report.run_view import RunView

Make = Callable[[RunView], Sequence[Block]]


@dataclass(frozen=True)
class SectionMaker:
    """A section of the page of any run.

    Attributes:
        name: of it in links, and in ``@figure``.
        title: its heading.
        order: place on the page, the lowest first.
        make: its blocks for a run; without any the section is left out.
    """

    name: str
    title: str
    order: int
    make: Make


def section(name: str, title: str, order: int) -> Callable[[Make], SectionMaker]:
    """Make a section of the report of a function from a run to blocks."""

    def decorate(make: Make) -> SectionMaker:
        return SectionMaker(name, title, order, make)

    return decorate


def sections_of(view: RunView) -> list[Section]:
    """All sections of a run's page, in their order."""
    ordered = sorted(registered("search.report.sections", SectionMaker), key=lambda maker: maker.order)
    sections = [Section(maker.name, maker.title, maker.make(view)) for maker in ordered]
    return [section for section in sections if section.blocks]
