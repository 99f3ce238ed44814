"""Figures and the report hold the study's own numbers."""

import json
import re
from dataclasses import replace

import pytest

from compress.errors import RunError
from compress.parameters import CompressionParameters
from objectives.cost import Cost
from objectives.metric import ACCURACY, Metric
from objectives.quantity import FLOPS
from search import figures
from search.finalist import Finalist
from search.front import front
from search.pipeline import find_run
from search.report import write_report
from search.results import Result, markdown_table, write_result
from search.rung import Rung, counts_text, rung_counts
from search.trial_record import TrialRecord
from tests.search.interrupted_run import TRIALS

COST = Cost(1_000_000, 10, 40)
PARAMETERS = CompressionParameters({"conv1": 0.3, "add": 0.9}, {"conv2": (3, 7)})
RESULTS = [Result("original", 0.9, 4_000_000, 100, 1000), Result("search", 0.88, 1_000_000, 10, 100)]


def record(number, accuracy, start=None):
    state = "complete" if accuracy is not None else "failed"
    return TrialRecord(number, state, PARAMETERS, COST, accuracy, 0.5, 1.0, None, start)


def test_history_holds_every_judged_trial_and_the_best_so_far():
    found = [record(0, 0.5, "SLAMP"), record(1, None), record(2, 0.8), record(3, 0.6)]
    trials, best = figures.history(found).data
    assert (list(trials.x), list(trials.y), list(trials.text)) == (
        [0, 2, 3],
        [0.5, 0.8, 0.6],
        ["SLAMP", "sampler", "sampler"],
    )
    assert (list(best.x), list(best.y)) == ([0, 2, 3], [0.5, 0.8, 0.8])


def test_history_minds_the_rungs():
    """The best so far is that of the highest rung reached, as the winner is."""
    low, high = Rung(30, 0.5, 0.5, 0.5), Rung(90, 0.5, 0.5, 0.5)
    found = [
        replace(record(0, 0.9), state="stopped", rungs=(low,)),
        replace(record(1, 0.7), rungs=(low, high)),
        replace(record(2, 0.95, "SLAMP"), state="stopped", rungs=(low,)),
        replace(record(3, 0.8), rungs=(low, high)),
    ]
    trials, best = figures.history(found).data
    assert list(best.y) == [0.9, 0.7, 0.7, 0.8]
    stopped = "stopped after 30 steps"
    assert list(trials.text) == [f"sampler, {stopped}", "sampler", f"SLAMP, {stopped}", "sampler"]
    counts = rung_counts(found)
    assert counts_text(counts) == "4 trials at 30 steps, 2 at 90"


@pytest.mark.parametrize(("direction", "best_so_far"), [("maximize", [0.4, 0.6, 0.6]), ("minimize", [0.4, 0.4, 0.3])])
def test_history_of_a_metric_knows_which_way_is_better(direction, best_so_far):
    metric = Metric("Hinge", direction, "one_hot")
    values = [0.4, None, 0.6, 0.3]
    found = [
        replace(record(number, None if value is None else 0.5), metric=metric, value=value)
        for number, value in enumerate(values)
    ]
    figure = figures.metric_history(found)
    trials, best = figure.data
    assert (list(trials.x), list(trials.y), list(best.y)) == ([0, 2, 3], [0.4, 0.6, 0.3], best_so_far)
    assert figure.layout.title.text == "Validation Hinge of the trials"
    assert figure.layout.yaxis.title.text == "Hinge on the validation split"


def test_history_names_the_stage():
    found = [replace(record(0, 0.5), stage="prune")]
    assert figures.history(found).layout.title.text == "Validation accuracy of the trials of stage prune"


def test_accuracy_and_flops_hold_every_measured_model():
    points = figures.accuracy_and_flops([*RESULTS, Result("other", None, 1, 1, 1)]).data
    assert [(list(point.x), list(point.y), point.name) for point in points] == [
        ([4.0], [0.9], "original"),
        ([1.0], [0.88], "search"),
    ]


def test_the_fronts_are_drawn_with_the_models():
    dearer = replace(COST, flops=2_000_000)
    found = [record(0, 0.5), record(1, 0.4), replace(record(2, 0.7), cost=dearer), record(3, None)]
    tuned = [Finalist("trial 2", PARAMETERS, dearer, 0.8, 0.1, 1.0, None, ACCURACY)]
    points = figures.accuracy_and_flops(RESULTS, found, tuned).data[2:]
    assert [(list(point.x), list(point.y), list(point.text), point.name) for point in points] == [
        ([1.0, 2.0], [0.5, 0.7], ["trial 0", "trial 2"], "trials, validation"),
        ([2.0], [0.8], ["trial 2"], "finalists, validation"),
    ]


def test_the_best_so_far_is_of_the_runs_own_budget():
    found = [
        replace(record(number, accuracy), level=number % 2) for number, accuracy in enumerate([0.5, 0.9, 0.4, 0.8])
    ]
    trials, best = figures.history([*found, replace(record(4, 0.6), level=0)]).data
    assert (list(trials.x), list(best.x), list(best.y)) == ([0, 1, 2, 3, 4], [0, 2, 4], [0.5, 0.5, 0.6])


def test_ratios_and_ranks_hold_the_winners():
    (bars,) = figures.ratios(PARAMETERS).data
    assert (list(bars.x), list(bars.y)) == (["conv1", "add"], [0.3, 0.9])
    rank_in, rank_out = figures.ranks(PARAMETERS).data
    assert (list(rank_in.x), list(rank_in.y), rank_in.name) == (["conv2"], [3], "In Rank")
    assert (list(rank_out.x), list(rank_out.y), rank_out.name) == (["conv2"], [7], "Out Rank")


def plotted(page):
    """The data of every figure in a page, as Plotly's own calls hold it."""
    found = []
    for call in re.finditer(r'Plotly\.newPlot\(\s*"[^"]+",\s*', page):
        data, _ = json.JSONDecoder().raw_decode(page, call.end())
        found.append(data)
    return found


def test_the_report_of_a_real_run(run):
    for result in RESULTS:
        write_result(result, run.folder / "results")
    page, table = write_report(run.folder)
    outcome = find_run(run.folder)
    html = page.read_text(encoding="utf-8")
    winner = outcome.winner

    assert table.read_text(encoding="utf-8") == markdown_table(RESULTS)
    for cell in ("Original", "90.00 %", "88.00 % (-2.00)", "1.00 M (4.00x)"):
        assert f"<td>{cell}</td>" in html
    assert f"{TRIALS} trials: {TRIALS} feasible, 0 infeasible, 0 failed. Winner: {winner.source}, " in html

    assert len(outcome.finalists) == 4
    for finalist in outcome.finalists:
        assert (
            f"<td>{finalist.source}</td>" in html
            and f"<td>{finalist.accuracy:.4f}, loss {finalist.loss:.4f}</td>" in html
        )

    charts = plotted(html)
    assert len(charts) == 2 + bool(winner.parameters.ratios) + bool(winner.parameters.ranks)
    assert [(point["x"], point["y"]) for point in charts[0][:2]] == [([4.0], [0.9]), ([1.0], [0.88])]
    for drawn, found in zip(charts[0][2:], (outcome.trials, outcome.finalists), strict=True):
        assert drawn["text"] == [point.source for point in front(found, FLOPS)]
        assert drawn["y"] == [point.accuracy for point in front(found, FLOPS)]
    assert charts[1][0]["x"] == [trial.number for trial in outcome.trials]
    assert charts[1][0]["y"] == [trial.accuracy for trial in outcome.trials]
    if winner.parameters.ratios:
        assert dict(zip(charts[2][0]["x"], charts[2][0]["y"], strict=True)) == winner.parameters.ratios
    if winner.parameters.ranks:
        pairs = zip(charts[-1][0]["y"], charts[-1][1]["y"], strict=True)
        assert dict(zip(charts[-1][0]["x"], pairs, strict=True)) == winner.parameters.ranks
    # The library itself is in the page: it opens without a network.
    assert not re.search(r"<script[^>]* src=|<link ", html)
    assert len(html) > 1_000_000


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
