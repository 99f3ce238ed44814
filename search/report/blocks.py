"""The blocks that a report's page consists of: paragraphs, tables, charts, code and links, grouped in sections."""

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
        figures: whether all cells but the first are numbers, aligned to the right.
    """

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: bool = True


@dataclass(frozen=True)
class Pictures:
    """Rows of pictures or texts.

    Attributes:
        rows: of each row its name, then texts or data URLs of PNG files.
    """

    kind: ClassVar[str] = "pictures"
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Chart:
    """A Plotly figure.

    Attributes:
        name: its id on the page, and the name of its PNG file.
        figure: the figure.
        caption: text below the title.
    """

    kind: ClassVar[str] = "chart"
    name: str
    figure: go.Figure
    caption: str = ""

    @property
    def title(self) -> str:
        """The title of the figure."""
        return str(self.figure.layout.title.text)


@dataclass(frozen=True)
class Code:
    """Lines to copy, such as commands."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Files:
    """Files in the run folder.

    Attributes:
        rows: of each file its path relative to the folder, and a description.
    """

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
    """One number of the summary.

    Attributes:
        label: what it is.
        value: with its unit.
        change: difference from the original model, as text.
        worse: whether the change is for the worse.
    """

    label: str
    value: str
    change: str
    worse: bool = False


def charts(sections: Sequence[Section]) -> list[Chart]:
    """All charts, in the order of the page."""
    return [block for section in sections for block in section.blocks if isinstance(block, Chart)]
