"""The tables that commands print of a run: compared models, and the files that it was shipped in."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from search.runs.exports import Export
from search.runs.results import Result, columns, table_rows

_EXPORTS_CAPTION = (
    "agreement with the Keras model's classes, or difference of its metric; largest difference of any output; latency: "
    "median of one image on one thread"
)


def comparison(results: Sequence[Result], title: str) -> Table:
    """The comparison of original, simple and searched model, as NPTK shows it."""
    caption = "in brackets: difference from the original, or how many times smaller"
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    headers = columns(results)
    # With memory or latency the table is wider than 80 columns: the brackets then go below the figures.
    whole = len(headers) == len(columns([]))
    for column in headers:
        # The caption explains the brackets: short headers leave the figures whole on 80 columns.
        header = column.partition(" (")[0]
        table.add_column(header, justify="left" if column == headers[0] else "right", no_wrap=whole)
    for row in table_rows(results):
        table.add_row(*row)
    return table


def exports(rows: Sequence[Export]) -> Table:
    """The exported files of a model: size, agreement with the Keras model, latency."""
    headers = ("Format", "File", "Size", "Agreement", "Difference", "Latency")
    table = Table(caption=_EXPORTS_CAPTION, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.caption_justify = "left"
    for header in headers:
        table.add_column(header, justify="left" if header in headers[:2] else "right", no_wrap=header != "File")
    for row in rows:
        table.add_row(
            row.format,
            row.file,
            f"{row.bytes / 1e6:.3f} MB",
            _agreement(row),
            f"{row.max_difference:.1e}",
            f"{row.latency_ms:.3f} ms",
        )
    return table


def _agreement(row: Export) -> str:
    if row.agreement is not None:
        return f"{100 * row.agreement:.2f} %"
    return "" if row.metric is None else f"{row.metric} {row.metric_gain:+.4f}"
