"""Accuracy against cost holds the study's trials and the measured models."""

from dataclasses import replace

import pytest

from objectives.cost.quantities.standard import FLOPS, LATENCY, SIZE
from search.report.figures.accuracy import accuracy_against, shown
from search.study.finalist import Finalist
from tests.search.fixtures.results import classified
from tests.search.report.report_runs import COST, PARAMETERS, by_name, record
from zoo.tasks.metric import ACCURACY, LOSS, Score

RESULTS = [classified("original", 0.9, 4_000_000, 100, 1000), classified("search", 0.88, 1_000_000, 10, 100)]


def test_it_holds_every_measured_model():
    points = accuracy_against(FLOPS, [*RESULTS, classified("other", None, 1, 1, 1)]).data
    assert [(list(point.x), list(point.y), point.name) for point in points] == [
        ([4.0], [0.9], "Original, test"),
        ([1.0], [0.88], "Search, test"),
    ]


@pytest.mark.parametrize(("search", "simple"), [(0.88, 0.80), (0.80, 0.88)])
def test_names_of_models_of_one_cost_stand_in_the_order_of_their_stars(search, simple):
    middle = classified("sensitivity", 0.85, 1_000_000, 10, 100)
    compressed = [classified("search", search, 1_000_000, 10, 100), classified("simple", simple, 1_000_000, 10, 100)]
    traces = accuracy_against(FLOPS, [RESULTS[0], *compressed, middle]).data
    positions = {trace.y[0]: trace.textposition for trace in traces}
    assert positions == {0.9: "middle left", 0.88: "top right", 0.85: "middle right", 0.80: "bottom right"}


def test_it_holds_every_trial_by_its_state():
    dearer = replace(COST, flops=2_000_000)
    trials = [
        record(0, 0.5),
        replace(record(1, 0.4), state="stopped", cost=dearer),
        record(2, None),
        replace(record(3, None), state="infeasible", error=None, cost=dearer),
    ]
    traces = by_name(accuracy_against(FLOPS, (), trials))
    drawn = {name: (list(trace.x), list(trace.y), trace.yaxis) for name, trace in traces.items()}
    assert drawn == {
        "trial": ([1.0], [0.5], None),
        "trial, stopped early": ([2.0], [0.4], None),
        "failed": ([1.0], [0.0], "y2"),
        "over the budget": ([2.0], [0.0], "y2"),
        "Pareto front of the trials": ([1.0], [0.5], None),
    }
    symbols = {trace.marker.symbol for trace in traces.values()}
    assert len(symbols) == 4  # The front's points are trials.


def test_the_fronts_are_drawn_with_the_models():
    dearer = replace(COST, flops=2_000_000)
    trials = [record(0, 0.5), record(1, 0.4), replace(record(2, 0.7), cost=dearer), record(3, None)]
    tuned = [Finalist("trial 2", PARAMETERS, dearer, Score({"accuracy": 0.8, "loss": 0.1}), 1.0, None, ACCURACY)]
    traces = by_name(accuracy_against(FLOPS, RESULTS, trials, tuned))
    drawn = [traces["Pareto front of the trials"], traces["Pareto front of the finalists"]]
    assert [(list(trace.x), list(trace.y), list(trace.text)) for trace in drawn] == [
        ([1.0, 2.0], [0.5, 0.7], ["trial 0", "trial 2"]),
        ([2.0], [0.8], ["trial 2"]),
    ]


def test_the_metric_that_ranks_is_shown():
    """Trial 1 is less accurate, costs more, and has the lower loss."""
    dearer = replace(COST, flops=2_000_000)
    trials = [
        replace(record(0, 0.5), score=Score({"accuracy": 0.5, "loss": 0.4}), metric=LOSS),
        replace(record(1, 0.4), score=Score({"accuracy": 0.4, "loss": 0.3}), metric=LOSS, cost=dearer),
    ]
    made = accuracy_against(FLOPS, (), trials)
    (trace,) = [trace for trace in made.data if "front" in trace.name]
    assert (list(trace.x), list(trace.y)) == ([1.0, 2.0], [0.4, 0.3])
    assert (made.layout.title.text, made.layout.yaxis.title.text) == ("Loss against MFLOPs", "loss")
    assert made.layout.yaxis.tickformat is None
    (trace,) = [trace for trace in accuracy_against(FLOPS, (), trials, metric=ACCURACY).data if "front" in trace.name]
    assert (trace.name, trace.mode) == ("Pareto front of the trials, by loss", "markers")
    assert (list(trace.x), list(trace.y)) == ([1.0, 2.0], [0.5, 0.4])
    assert shown(trials) == [LOSS, ACCURACY]


def test_what_was_not_judged_is_on_the_edge_of_the_worst():
    failed = replace(record(1, None), metric=LOSS)
    trials = [replace(record(0, 0.5), score=Score({"accuracy": 0.5, "loss": 0.4}), metric=LOSS), failed]
    assert list(by_name(accuracy_against(FLOPS, (), trials))["failed"].y) == [1.0]


def test_of_latencies_the_models_are_where_they_were_measured():
    trials = [replace(record(0, 0.5), cost=replace(COST, latency=250.0))]
    figure = accuracy_against(LATENCY, [replace(RESULTS[0], latency=1500.0), RESULTS[1]], trials, most=500.0)
    traces = by_name(figure)
    assert (list(traces["Original, test"].x), list(traces["trial"].x)) == ([1.5], [0.25])
    assert "Search, test" not in traces
    assert (figure.layout.xaxis.title.text, figure.layout.shapes[0].x0) == ("ms", 0.5)


def test_of_sizes_files_are_not_compared_with_weights():
    assert len(accuracy_against(SIZE, RESULTS).data) == 0
