"""The report of a run: one self-contained HTML page, the comparison as Markdown, its figures as pictures."""

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
    """What a report consists of.

    Attributes:
        run: folder of the run.
        paths: of the page and of the table.
        charts: the figures of the page.
    """

    run: Path
    paths: tuple[Path, ...]
    charts: Sequence[Chart]


def write_report(run: Path) -> Report:
    """Write ``report.html`` and ``table.md`` into the run folder.

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
    return Report(run, (html, table), charts(sections))


def old_pictures(run: Path) -> list[Path]:
    """The PNG files that earlier reports of a run drew."""
    return sorted((run / PICTURES).glob("*.png"))


def draw_pictures(report: Report) -> list[Path]:
    """Write a PNG file of every chart into the run's ``figures``, in the place of older ones, and return their paths.

    Raises:
        RunError: the folder cannot be written, or there is no browser that draws; says what to install.
    """
    folder = report.run / PICTURES
    figures = {folder / f"{chart.name}.png": chart.figure for chart in report.charts}
    try:
        folder.mkdir(exist_ok=True)
        for old in old_pictures(report.run):
            old.unlink()
    except OSError as error:
        raise RunError(f"folder '{folder}' cannot be written ({error.strerror}); make room for it") from error
    for made in figures.values():
        made.update_layout(template="plotly_white")
    write_pictures(figures, scale=_SCALE)
    return list(figures)
