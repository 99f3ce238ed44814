"""How a file of this folder adds a section to the report: by a function that is decorated with ``@section``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compress.registration import registered
from search.report.blocks import Block, Section
from search.report.run_view import RunView

Make = Callable[[RunView], Sequence[Block]]


@dataclass(frozen=True)
class SectionMaker:
    """A registered section of the report.

    Attributes:
        name: in links, and in ``@figure``.
        title: its heading.
        order: position on the page, the lowest first.
        make: makes its blocks for a run; a section without blocks is left out.
    """

    name: str
    title: str
    order: int
    make: Make


def section(name: str, title: str, order: int) -> Callable[[Make], SectionMaker]:
    """Register the decorated function as a section of the report; see `SectionMaker`."""

    def decorate(make: Make) -> SectionMaker:
        return SectionMaker(name, title, order, make)

    return decorate


def sections_of(view: RunView) -> list[Section]:
    """All sections of a run's page, in their order."""
    ordered = sorted(registered("search.report.sections", SectionMaker), key=lambda maker: maker.order)
    sections = [Section(maker.name, maker.title, maker.make(view)) for maker in ordered]
    return [section for section in sections if section.blocks]
