"""The report of a run: one self-contained HTML page, its figures as pictures, and the comparison as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compress.disk.whole_file import replaced
from compress.errors import RunError
from search.report.blocks import Chart, charts
from search.report.page import page
from search.report.pictures import write_pictures
from search.report.run_view import RunView
from search.report.sections.section import sections_of
from search.report.sections.summary import facts, lead, tiles
from search.runs.results import markdown_table

PICTURES = "figures"
"""Folder of the PNG files in the run folder."""
_SCALE = 2


@dataclass(frozen=True)
class Report:
    """The files of a report.

    Attributes:
        paths: of the page, the table and the pictures.
        without_pictures: why there are no pictures; empty where there are some.
    """

    paths: tuple[Path, ...]
    without_pictures: str


def write_report(run: Path) -> Report:
    """Write ``report.html``, ``table.md`` and ``figures/*.png`` into the run folder.

    Without a browser that draws the pictures, the page and the table are written alone.

    Raises:
        RunError: no run folder, no usable trial in it, or the folder cannot be written.
    """
    view = RunView.of(run)
    sections = sections_of(view)
    text = page(view.folder.path.name, lead(view), facts(view), tiles(view), sections)
    html, table = run / "report.html", run / "table.md"
    try:
        for path, content in ((html, text), (table, markdown_table(view.results))):
            with replaced(path) as partial:
                partial.write_text(content, encoding="utf-8")
    except OSError as error:
        raise RunError(f"the report in '{run}' cannot be written ({error.strerror}); make room for it") from error
    try:
        return Report((html, table, *_pictures(charts(sections), run / PICTURES)), "")
    except RunError as error:
        return Report((html, table), str(error))


def _pictures(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Write a PNG file of every chart, replacing those of an earlier report, and return their paths."""
    figures = {folder / f"{chart.name}.png": chart.figure for chart in charts}
    try:
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.png"):
            old.unlink()
    except OSError as error:
        raise RunError(f"folder '{folder}' cannot be written ({error.strerror}); make room for it") from error
    write_pictures(figures, scale=_SCALE)
    return list(figures)
