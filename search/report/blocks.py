"""The blocks of a report's page: paragraphs, tables, charts, code and links to files, gathered in sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import plotly.graph_objects as go


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Table:
    """Rows under their headers.

    Attributes:
        head: the headers.
        rows: cells of each row, the first of which names the row.
        figures: whether all other cells are numbers, which are aligned to the right.
    """

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: bool = True


@dataclass(frozen=True)
class Pictures:
    """Rows of pictures, or of texts in their place; the first cell names the row.

    Attributes:
        rows: names, then texts or data URLs of PNG files.
    """

    kind: ClassVar[str] = "pictures"
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Chart:
    """A figure of Plotly.

    Attributes:
        name: of its place on the page, and of its PNG file.
        figure: what is drawn.
        caption: text below its title.
    """

    kind: ClassVar[str] = "chart"
    name: str
    figure: go.Figure
    caption: str = ""

    @property
    def title(self) -> str:
        """Of the figure."""
        return str(self.figure.layout.title.text)


@dataclass(frozen=True)
class Code:
    """Lines to copy, such as commands."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Files:
    """Files in the run folder, as links relative to it, and what each is."""

    kind: ClassVar[str] = "files"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Folded:
    """Blocks that are hidden until the reader opens them."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: "Sequence[Block]"


Block = Paragraph | Table | Pictures | Chart | Code | Files | Folded


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; its name is the target of links to it."""

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Tile:
    """One number of the summary: what it is, how much, the change from the original model, and whether it is worse."""

    label: str
    value: str
    change: str
    worse: bool = False


def charts(sections: Sequence[Section]) -> list[Chart]:
    """All figures, in the order of the page."""
    return [block for section in sections for block in section.blocks if isinstance(block, Chart)]
