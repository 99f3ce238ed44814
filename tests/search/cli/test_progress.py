"""What a search says on the terminal."""

import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from objectives.cost.quantities.standard import FLOPS, PARAMS, SIZE
from search.cli.progress import ProgressDisplay, _Phase
from search.samplers.probes import UNPRUNED, Probe
from search.study.finalist import Finalist
from search.study.judgement import Rung
from search.study.trial_record import TrialRecord
from zoo.tasks.metric import ACCURACY, LOSS, Metric, Score


def record(number, accuracy, loss=0.5, error=None, start=None):
    state = "failed" if error else "complete" if accuracy is not None else "infeasible"
    seconds = None if state == "infeasible" else 1.25
    cost = Cost(1_500_000, 0, 0)
    return TrialRecord(
        number,
        state,
        CompressionParameters.none(),
        cost,
        None if accuracy is None else Score({"accuracy": accuracy, "loss": loss}),
        seconds,
        error,
        start,
    )


def lines(resumed, events, terminal=False):
    console = Console(file=io.StringIO(), width=200, force_terminal=terminal)
    with ProgressDisplay(console) as display:
        display.started(5, resumed)
        for settled in events:
            display.settled(settled)
    return console.file.getvalue()


def test_a_line_for_each_trial():
    events = [
        record(0, 0.5, start="SLAMP"),
        record(2, None, error="ValueError: shape [3] [/red] is odd"),
        record(1, None),
        record(3, 0.75),
        record(4, 0.6),
    ]
    assert lines([], events).splitlines() == [
        "searching: 5 trials",
        "[1/5] trial 0: accuracy 0.5000, loss 0.5000, 1.50 MFLOPs, 1.2 s (SLAMP)  best so far",
        "[2/5] trial 2: failed, 1.50 MFLOPs: ValueError: shape [3] [/red] is odd",
        "[3/5] trial 1: infeasible, 1.50 MFLOPs",
        "[4/5] trial 3: accuracy 0.7500, loss 0.5000, 1.50 MFLOPs, 1.2 s  best so far",
        "[5/5] trial 4: accuracy 0.6000, loss 0.5000, 1.50 MFLOPs, 1.2 s",
    ]


def climbed(number, *accuracies, state="complete"):
    rungs = tuple(
        Rung(30 * 3**position, Score({"accuracy": accuracy, "loss": 0.5}), accuracy)
        for position, accuracy in enumerate(accuracies)
    )
    return replace(record(number, accuracies[-1]), state=state, rungs=rungs)


def test_stopped_trials_and_the_rungs_are_shown():
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    with ProgressDisplay(console) as display:
        display.started(3, [climbed(0, 0.5, 0.6)])
        display.settled(climbed(1, 0.9, state="stopped"))
        display.settled(climbed(2, 0.6, 0.7))
        display.finals_started(0)
    assert console.file.getvalue().splitlines()[1:] == [
        # It scored more than trial 0, but at a lower rung.
        "[2/3] trial 1: stopped after 30 steps, accuracy 0.9000, loss 0.5000, 1.50 MFLOPs, 1.2 s",
        "[3/3] trial 2: accuracy 0.7000, loss 0.5000, 1.50 MFLOPs, 1.2 s  best so far",
        "rungs: 3 trials at 30 steps, 2 at 90",
    ]
    events = [climbed(0, 0.5, 0.6), climbed(1, 0.9, state="stopped")]
    assert "| 2 feasible, 0 failed | 2 trials at 30 steps, 1 at 90 | " in lines([], events, terminal=True)


def test_a_resumed_search_knows_the_best_of_before():
    resumed = [record(0, 0.7), record(1, 0.9)]
    assert lines(resumed, [record(2, 0.8), record(3, 0.9, 0.4)]).splitlines() == [
        "searching: 5 trials, 2 of them already settled",
        "[3/5] trial 2: accuracy 0.8000, loss 0.5000, 1.50 MFLOPs, 1.2 s",
        # Of equals, the one of the lower loss: it would win.
        "[4/5] trial 3: accuracy 0.9000, loss 0.4000, 1.50 MFLOPs, 1.2 s  best so far",
    ]


def test_the_second_stage_counts_anew():
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    with ProgressDisplay(console) as display:
        display.started(1, [])
        display.settled(record(0, 0.9))
        display.noted("stage 2 of 2: [decompose]")
        display.started(2, [record(0, 0.5)])
        display.settled(replace(record(1, 0.6), stage="decompose"))
    assert console.file.getvalue().splitlines()[2:] == [
        "stage 2 of 2: [decompose]",
        "searching: 2 trials, 1 of them already settled",
        "[2/2] decompose trial 1: accuracy 0.6000, loss 0.5000, 1.50 MFLOPs, 1.2 s  best so far",
    ]


def test_on_a_terminal_there_is_a_bar_with_counts_and_time_left():
    shown = lines([record(0, 0.7)], [record(1, None, error="nan"), record(2, 0.8)], terminal=True)
    assert "3/5" in shown
    assert "best accuracy 0.8000 | 2 feasible, 1 failed | 0 s left" in shown


def test_the_best_is_by_what_the_study_maximizes():
    events = [replace(record(0, 0.9, 0.5), metric=LOSS), replace(record(1, 0.8, 0.3), metric=LOSS)]
    assert [line.endswith("best so far") for line in lines([], events).splitlines()[1:]] == [True, True]


def test_the_figures_that_are_limited_are_shown():
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    with ProgressDisplay(console, (FLOPS, PARAMS, SIZE)) as display:
        display.started(5, [])
        display.settled(replace(record(1, None), cost=Cost(1_500_000, 43_210, 172_840)))
    expected = "[1/5] trial 1: infeasible, 1.50 MFLOPs, 0.043 M parameters, 0.173 MB"
    assert console.file.getvalue().splitlines()[1] == expected


def test_a_line_for_each_finalist():
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    none, cost = CompressionParameters.none(), Cost(1_500_000, 0, 0)
    with ProgressDisplay(console) as display:
        display.started(1, [])
        display.finals_started(2)
        display.finalist_settled(
            Finalist("trial 3", none, cost, Score({"accuracy": 0.75, "loss": 0.5}), 12.5, None, ACCURACY)
        )
        display.finalist_settled(Finalist("recommended values", None, None, None, 1.0, "no [/] way", ACCURACY))
    assert console.file.getvalue().splitlines()[1:] == [
        "finals: 2 candidates go through the whole recipe with its fine-tuning",
        "[1/2] finalist: trial 3: accuracy 0.7500, loss 0.5000, 1.50 MFLOPs, 12.5 s",
        "[2/2] finalist: recommended values: failed: no [/] way",
    ]


def test_the_time_left_of_a_phase_is_that_of_what_is_done(monkeypatch):
    now = iter([100.0, 400.0, 500.0, 1000.0])
    monkeypatch.setattr("search.cli.progress.time", SimpleNamespace(monotonic=lambda: next(now)))
    phase = _Phase(3, began=next(now))
    # Two more of 300 s each; then one of 200, the mean of two; then none.
    assert phase.advanced("first") == "[1/3] first; about 10 min left"
    assert phase.advanced("second") == "[2/3] second; about 3 min left"
    assert phase.advanced("third") == "[3/3] third"


def test_a_metric_of_keras_is_shown_beside_accuracy():
    metric = Metric("CategoricalHinge", "minimize", "one_hot")
    events = [
        replace(
            record(number, accuracy),
            metric=metric,
            score=Score({"accuracy": accuracy, "loss": 0.5, metric.name: value}),
        )
        for number, (accuracy, value) in enumerate([(0.9, 0.5), (0.8, 0.25)])
    ]
    shown = lines([], events, terminal=True)
    assert "trial 1: accuracy 0.8000, loss 0.5000, CategoricalHinge 0.2500, 1.50 MFLOPs, 1.2 s  best so far" in shown
    assert "best CategoricalHinge 0.2500 | 2 feasible" in shown


def test_a_warning_is_a_line():
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    with ProgressDisplay(console) as display:
        display.warned("it scores [10] %")
    assert console.file.getvalue() == "warning: it scores [10] %\n"


def test_every_level_of_a_front_has_a_best_of_its_own():
    events = [
        replace(record(number, accuracy), level=number % 2) for number, accuracy in enumerate([0.5, 0.9, 0.6, 0.8])
    ]
    shown = lines([], events, terminal=True)
    assert [f"best so far of level {level}" in shown for level in (0, 1, 2)] == [True, True, False]
    assert shown.count("best so far of level 0") == 2 and shown.count("best so far of level 1") == 1
    assert "best accuracy 0.6000 | 4 feasible" in shown and "best accuracy 0.9000" not in shown


@pytest.mark.parametrize(("metric", "sign"), [(ACCURACY, 1), (Metric("MAE", "minimize"), -1)])
def test_the_sweep_is_shown(metric, sign):
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    with ProgressDisplay(console) as display:
        display.sweep_started(3, metric)
        for probe in (
            Probe(UNPRUNED, (), 1.0, sign * 0.9, 2.0),
            Probe("add_2", ("keep:add_2",), 0.5, sign * 0.6, 2.5),
            Probe("ranks of conv3", ("rank_in:conv3", "rank_out:conv3"), 0.3, None, 1.0, "its worker was lost"),
        ):
            display.probed(probe)
        display.sweep_started(1, metric)
        display.probed(Probe("ranks of conv4", ("rank_in:conv4",), 0.109416, sign * 0.5, 1.0))
    assert console.file.getvalue().splitlines() == [
        "sensitivity: 3 cheap evaluations, with one part of the model made smaller alone",
        "[1/3] sensitivity: unpruned: 0.9000, 2.0 s",
        "[2/3] sensitivity: add_2 at 0.5: 0.6000, 2.5 s",
        "[3/3] sensitivity: ranks of conv3 at 0.3: failed: its worker was lost",
        "sensitivity: 1 cheap evaluation, with one part of the model made smaller alone",
        "[1/1] sensitivity: ranks of conv4 at 0.11: 0.5000, 1.0 s",
    ]
