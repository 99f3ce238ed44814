"""The timeline tells who did which trial when, from the study's own times."""

from dataclasses import replace
from datetime import datetime, timedelta

import optuna
import pytest

from search.report.figures.timeline import NO_WORKER, Span, busy, spans_of, timeline
from search.study.judgement import Judgement
from search.study.storage import find_study
from search.study.trial_record import describe, finish
from tests.search.report.report_runs import COST, HOSTILE, LOST, PARAMETERS, by_name, made_up, record

NOON = datetime(2026, 1, 2, 12)


def span(number, worker, began, ended, **changes):
    times = (NOON + timedelta(seconds=seconds) for seconds in (began, ended))
    return Span(worker, replace(record(number, 0.5), **changes), *times)


def test_spans_are_the_trials_that_took_a_worker(home):
    study = find_study(made_up(home, trials=10), "run")
    spans = spans_of([study])
    trials = study.get_trials()
    assert [span.record.number for span in spans] == [0, 1, 2, 3, 4, 5, 6, 7, 8]  # The last is over the budget.
    assert [span.ended for span in spans] == [trial.datetime_complete for trial in trials[:9]]
    assert [(span.ended - span.began).total_seconds() for span in spans] == [1.0 if n == 7 else 3.0 for n in range(9)]
    assert [span.worker for span in spans] == [f"host:{100 + n % 2}" for n in range(9)]
    assert (spans[7].record.error, spans[5].record.lost) == (HOSTILE, (LOST,))


def test_a_trial_without_a_worker_in_the_end():
    study = optuna.create_study()
    trial = study.ask()
    describe(trial, PARAMETERS, COST, None)
    finish(study, trial, Judgement.failed(2.0, "its worker was lost: gone"))
    assert [span.worker for span in spans_of([study])] == [NO_WORKER]


def test_the_figure_holds_the_spans():
    spans = [
        span(0, "a:1", 0, 4),
        span(1, "b:2", 1, 5, state="failed", error="broken"),
        span(2, "a:1", 5, 7, lost=("node gone",)),
    ]
    figure = timeline(spans)
    traces = by_name(figure)
    done = traces["trial"]
    assert (list(done.base), list(done.x)) == (["2026-01-02 12:00:00.000", "2026-01-02 12:00:05.000"], [4000, 2000])
    assert (list(done.y), list(traces["failed"].y)) == (["a:1", "a:1"], ["b:2"])
    assert list(traces["failed"].hovertext) == ["trial 1, sampler, failed: broken, 1.0 s"]
    lost = traces["a worker was lost before"]
    assert (list(lost.x), list(lost.text)) == (["2026-01-02 12:00:05.000"], ["trial 2, before: node gone"])
    assert list(figure.layout.yaxis.categoryarray) == ["a:1", "b:2"]


def test_pauses_do_not_count():
    spans = [span(0, "a:1", 0, 4), span(1, "b:2", 1, 5), span(2, "a:1", 100, 102)]
    assert busy(spans) == pytest.approx(7)
    assert busy([]) == 0
