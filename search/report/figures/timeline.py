"""A chart of the workers over time: which trial ran where and when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import optuna
import plotly.graph_objects as go

from search.report.blocks import Block, Chart, Paragraph
from search.report.figures import style
from search.report.figures.figure import figure
from search.report.figures.style import STATE_NAMES, STATES
from search.report.run_view import RunView
from search.study.trial_record import COMPLETE, FAILED, STOPPED, TrialRecord, record_of

NO_WORKER = "worker lost"
"""Shown as the worker of a trial whose workers were all lost."""


@dataclass(frozen=True)
class Span:
    """The time that a worker spent on a trial.

    Attributes:
        worker: host and process; ``NO_WORKER`` where the last one was lost.
        record: the trial.
        began: when the worker began, in the driver's local time.
        ended: when the result was stored, in the driver's local time.
    """

    worker: str
    record: TrialRecord
    began: datetime
    ended: datetime


def spans_of(studies: Iterable[optuna.Study]) -> list[Span]:
    """The spans of all trials that ran on a worker, in the order of their ends.

    The beginning is the end minus the worker's time: the study stores the time of the proposal, which is made ahead.
    """
    trials = (trial for study in studies for trial in study.get_trials(deepcopy=False) if trial.state.is_finished())
    spans = []
    for trial in trials:
        record = record_of(trial)
        if record.seconds is not None and trial.datetime_complete is not None:
            began = trial.datetime_complete - timedelta(seconds=record.seconds)
            spans.append(Span(record.worker or NO_WORKER, record, began, trial.datetime_complete))
    return sorted(spans, key=lambda span: span.ended)


_LOST = "#d55e00"


@figure(section="workers", order=10)
def timeline_charts(view: RunView) -> list[Block]:
    """The timeline, with a caption on how many trials ran at a time."""
    spans = spans_of(view.studies)
    if not spans:
        return [Paragraph("No worker has judged a trial yet.")]
    working = sum((span.ended - span.began).total_seconds() for span in spans)
    elapsed = busy(spans)
    caption = (
        f"{len(spans)} trials took {working / 60:.1f} minutes of work in {elapsed / 60:.1f} minutes "
        f"({working / max(elapsed, 1e-9):.2f} at a time)."
    )
    finals = sum(finalist.seconds for finalist in view.outcome.finalists)
    caption += f" Finals, which are not drawn, took {finals / 60:.1f} minutes of work." if finals else ""
    return [Chart("timeline", timeline(spans), caption)]


def timeline(spans: Sequence[Span]) -> go.Figure:
    """A row for every worker and a bar for every trial; trials whose earlier worker was lost are marked.

    spans: in the order of their ends.
    """
    workers = list(dict.fromkeys(span.worker for span in sorted(spans, key=lambda span: span.began)))
    made = style.empty_rows("Timeline of the workers", workers, 2)
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
    """Seconds in which at least one worker judged a trial, so without pauses of the driver."""
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
            hovertext=[f"{style.label(span.record)}, {span.record.seconds:.1f} s" for span in spans],
            name=STATE_NAMES[state],
            marker={"color": STATES[state], "line": {"width": 1, "color": "white"}},
            hovertemplate="%{hovertext}<extra></extra>",
        )


def _text(span: Span) -> str:
    return span.began.isoformat(sep=" ", timespec="milliseconds")
