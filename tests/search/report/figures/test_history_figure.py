"""The history holds every trial of the study, and the best so far."""

from dataclasses import replace

import pytest

from search.report.figures.history import histories, history
from search.study.judgement import Rung, counts_text, rung_counts
from tests.search.report.report_runs import by_name, record
from zoo.tasks.metric import LOSS, Metric, Score


def test_it_holds_every_trial_and_the_best_so_far():
    records = [record(0, 0.5, "SLAMP"), record(1, None), record(2, 0.8), record(3, 0.6)]
    traces = by_name(history(records))
    trials, best, failed = traces["trial"], traces["best so far"], traces["failed"]
    assert (list(trials.x), list(trials.y)) == ([0, 2, 3], [0.5, 0.8, 0.6])
    assert list(trials.text) == ["trial 0, SLAMP", "trial 2, sampler", "trial 3, sampler"]
    assert (list(best.x), list(best.y)) == ([0, 2, 3], [0.5, 0.8, 0.8])
    assert (list(failed.x), list(failed.text)) == ([1], ["trial 1, sampler, failed: out of memory"])
    assert set(traces) == {"trial", "best so far", "failed"}


def test_it_minds_the_rungs():
    """The best so far is that of the highest rung reached, as the winner is."""
    low, high = (
        Rung(30, Score({"accuracy": 0.5, "loss": 0.5}), 0.5),
        Rung(90, Score({"accuracy": 0.5, "loss": 0.5}), 0.5),
    )
    trials = [
        replace(record(0, 0.9), state="stopped", rungs=(low,)),
        replace(record(1, 0.7), rungs=(low, high)),
        replace(record(2, 0.95, "SLAMP"), state="stopped", rungs=(low,)),
        replace(record(3, 0.8), rungs=(low, high)),
    ]
    traces = by_name(history(trials))
    assert list(traces["best so far"].y) == [0.9, 0.7, 0.7, 0.8]
    assert list(traces["trial"].x) == [1, 3]
    stopped = "stopped after 30 steps"
    assert list(traces["trial, stopped early"].text) == [f"trial 0, sampler, {stopped}", f"trial 2, SLAMP, {stopped}"]
    assert counts_text(rung_counts(one.rungs for one in trials)) == "4 trials at 30 steps, 2 at 90"


@pytest.mark.parametrize(("direction", "best_so_far"), [("maximize", [0.4, 0.6, 0.6]), ("minimize", [0.4, 0.4, 0.3])])
def test_a_metric_knows_which_way_is_better(direction, best_so_far):
    metric = Metric("Hinge", direction, "one_hot")
    values = [0.4, None, 0.6, 0.3]
    trials = [
        replace(
            record(number, 0.5),
            metric=metric,
            score=value if value is None else Score({"accuracy": 0.5, "loss": 0.5, "Hinge": value}),
        )
        for number, value in enumerate(values)
    ]
    ranked, accuracy = histories(trials)
    traces = by_name(ranked)
    assert (list(traces["trial"].x), list(traces["trial"].y)) == ([0, 2, 3], [0.4, 0.6, 0.3])
    assert list(traces["best so far"].y) == best_so_far
    assert ranked.layout.title.text == "Validation Hinge of the trials"
    assert ranked.layout.yaxis.title.text == "Hinge on the validation split"
    assert list(by_name(accuracy)["trial"].y) == [0.5, 0.5, 0.5]


def test_of_losses_the_lowest_is_the_best():
    trials = [
        replace(record(number, 0.5), metric=LOSS, score=Score({"accuracy": 0.5, "loss": loss}))
        for number, loss in enumerate([0.4, 0.6, 0.1])
    ]
    loss, _ = histories(trials)
    assert list(by_name(loss)["best so far"].y) == [0.4, 0.4, 0.1]


def test_it_names_the_stage():
    trials = [replace(record(0, 0.5), stage="prune")]
    assert [figure.layout.title.text for figure in histories(trials)] == [
        "Validation accuracy of the trials of stage prune"
    ]


def test_the_best_so_far_is_of_the_runs_own_budget():
    trials = [
        replace(record(number, accuracy), level=number % 2) for number, accuracy in enumerate([0.5, 0.9, 0.4, 0.8])
    ]
    traces = by_name(history([*trials, replace(record(4, 0.6), level=0)]))
    assert list(traces["trial"].x) == [0, 1, 2, 3, 4]
    assert (list(traces["best so far"].x), list(traces["best so far"].y)) == ([0, 2, 4], [0.5, 0.5, 0.6])
