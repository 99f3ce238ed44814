"""Who did which trial when."""

from collections.abc import Sequence

import plotly.graph_objects as go

from search import figure_style
from search.palette import STATE_NAMES, STATES
from search.timeline import Span
from search.trial_record import COMPLETE, FAILED, STOPPED

_LOST = "#d55e00"


def timeline(spans: Sequence[Span]) -> go.Figure:
    """A row for every worker and a bar for every trial; where a worker was lost before, its trial is marked.

    spans: in the order in which they ended.
    """
    workers = list(dict.fromkeys(span.worker for span in sorted(spans, key=lambda span: span.began)))
    made = figure_style.rows("Timeline of the workers", workers, 2)
    made.update_layout(barmode="overlay")
    for state in (COMPLETE, STOPPED, FAILED):
        _add_spans(made, [span for span in spans if span.record.state == state], state)
    lost = [span for span in spans if span.record.lost]
    if lost:
        made.add_scatter(
            x=[_text(span) for span in lost],
            y=[span.worker for span in lost],
            text=[f"{span.record.source}, before: {'; '.join(span.record.lost)}" for span in lost],
            name="a worker was lost before",
            mode="markers",
            marker={"color": _LOST, "symbol": "x", "size": 10},
            hovertemplate="%{text}<extra></extra>",
        )
    made.update_xaxes(type="date", title="local time of the driver")
    return made


def busy(spans: Sequence[Span]) -> float:
    """Seconds in which some worker was at a trial: pauses between two starts of the driver do not count."""
    ordered = sorted(spans, key=lambda span: span.began)
    ends = [ordered[0].began] if ordered else []
    total = 0.0
    for span in ordered:
        total += max(0.0, (span.ended - max(span.began, ends[-1])).total_seconds())
        ends.append(max(ends[-1], span.ended))
    return total


def _add_spans(made: go.Figure, spans: Sequence[Span], state: str) -> None:
    if spans:
        made.add_bar(
            orientation="h",
            base=[_text(span) for span in spans],
            x=[(span.ended - span.began).total_seconds() * 1e3 for span in spans],
            y=[span.worker for span in spans],
            hovertext=[f"{figure_style.label(span.record)}, {span.record.seconds:.1f} s" for span in spans],
            name=STATE_NAMES[state],
            marker={"color": STATES[state], "line": {"width": 1, "color": "white"}},
            hovertemplate="%{hovertext}<extra></extra>",
        )


def _text(span: Span) -> str:
    return span.began.isoformat(sep=" ", timespec="milliseconds")
