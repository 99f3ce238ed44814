"""The page of a report: one HTML file with everything in it, so that it opens without a network."""

import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from plotly.offline import get_plotlyjs

from search.report.blocks import Section, Tile, charts

_TEMPLATES = Path(__file__).parent / "templates"


def page(
    name: str, lead: str, facts: Sequence[tuple[str, str]], tiles: Sequence[Tile], sections: Sequence[Section]
) -> str:
    """The HTML text of a report.

    Args:
        name: of the run.
        lead: what is to be known first.
        facts: what was searched, by name.
        tiles: figures of the summary.
        sections: all else.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        name=name,
        lead=lead,
        facts=facts,
        tiles=tiles,
        sections=sections,
        figures={chart.name: json.loads(chart.figure.to_json()) for chart in charts(sections)},
        plotly=get_plotlyjs(),
    )
