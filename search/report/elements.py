"""What a report is made of: sections of notes, tables, figures and code, some of them folded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import plotly.graph_objects as go


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True)
class Table:
    """Rows under their headers; the first column is the name of the row, the others are figures or text."""

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: bool = True


@dataclass(frozen=True)
class Chart:
    """A figure, and the name of it in the page and of its picture."""

    kind: ClassVar[str] = "chart"
    name: str
    figure: go.Figure
    note: str = ""

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
    """Blocks that are shown on demand."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: "Sequence[Block]"


Block = Note | Table | Chart | Code | Files | Folded


@dataclass(frozen=True)
class Section:
    """Blocks under a heading, and the name of it in links."""

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Tile:
    """One figure of the summary: what it is, how much, and how much that is against the original."""

    label: str
    value: str
    change: str


def charts(sections: Sequence[Section]) -> list[Chart]:
    """All figures, in the order of the page."""
    return [block for section in sections for block in section.blocks if isinstance(block, Chart)]
