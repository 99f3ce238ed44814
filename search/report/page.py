"""The HTML page of a report, which contains everything and so opens without a network."""

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
        lead: the first sentences.
        facts: names and values of what was searched.
        tiles: numbers of the summary.
        sections: the rest of the page.
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
