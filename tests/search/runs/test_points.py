"""Points of a run on the command line: listed, chosen by trial or by budget, written beside the winner's."""

import json

import pytest

from compress.graph.analysis import analyse
from compress.model_files.files import load_model
from compress.parameter_files.files import read_parameters
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import FLOPS, PARAMS
from search.cli import front_table
from search.runs.points import RunPoints
from search.runs.run_folder import RunFolder
from search.study.finalist import RECOMMENDED, Finalist, store
from search.study.identity import keep_original, tie_to_model
from search.study.judgement import Judgement, Rung
from search.study.storage import find_study, open_study
from search.study.trial_record import TrialRecord, describe, finish, records, reject
from tests.search.fixtures.nets import cost, model, space
from tests.search.fixtures.runs import config, refused, tree
from zoo.tasks.metric import ACCURACY, Score

NONE = CompressionParameters.none()
ORIGINAL = cost("tiny").cost(NONE)
CHOICES = {  # a ratio of every group, and the accuracy, by trial
    0: (0.5, 0.6),
    1: (0.3, 0.8),
    2: (0.7, 0.4),
    3: (0.4, 0.5),  # dearer and worse than trial 0
    5: (0.1, 0.9),
}


def parameters(ratio):
    return CompressionParameters({group.name: ratio for group in space("tiny").groups}, {})


@pytest.fixture
def made(home):
    """A run that was stopped after seven trials: the fifth failed, the seventh broke the budget."""
    given = config(home)
    folder = RunFolder.of(given)
    with folder.opened(given):
        study = open_study(folder.path, given.name, "journal")
        for number in range(7):
            trial = study.ask()
            ratio, accuracy = CHOICES.get(number, (0.2, None))
            chosen = parameters(ratio)
            describe(trial, chosen, cost("tiny").cost(chosen), 0.5 if number == 6 else -0.1)
            if number == 6:
                reject(study, trial)
                continue
            failed = Judgement.failed(1.0, "loss is nan")
            finish(
                study,
                trial,
                failed if accuracy is None else Judgement(Score({"accuracy": accuracy, "loss": 1 - accuracy}), 1.0),
            )
    return folder.path


def flops(number):
    return cost("tiny").cost(parameters(CHOICES[number][0])).flops


def listed(out):
    return [line.split()[:2] for line in out.splitlines() if line.startswith("trial ")]


def test_the_front_of_an_unfinished_run(tuckprune, made):
    before = tree(made)
    code, out, _ = tuckprune("front", made)
    assert code == 0 and tree(made) == before
    assert listed(out) == [["trial", "2"], ["trial", "0"], ["trial", "1"], ["trial", "5"]]
    row = next(line for line in out.splitlines() if line.startswith("trial 0"))
    text = f"{flops(0) / 1e6:.2f} MFLOPs"
    assert row.split("  ")[-1].strip() == "short repair"
    assert "60.00 %" in row and text in row and f"{ORIGINAL.flops / flops(0):.2f}x" in row

    code, out, _ = tuckprune("front", made, "--quantity", "params", "--json")
    entries = json.loads(out)
    assert [entry["source"] for entry in entries] == ["trial 2", "trial 0", "trial 1", "trial 5"]
    spent = cost("tiny").cost(parameters(0.3))
    assert entries[2] == {
        "source": "trial 1",
        "judged_after": "short repair",
        "accuracy": 0.8,
        "loss": pytest.approx(0.2),
        "flops": spent.flops,
        "params": spent.params,
        "bytes": spent.bytes,
        "macs": spent.macs,
        "memory": spent.memory,
        "latency": None,
        "factor": ORIGINAL.params / spent.params,
    }


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["--trial", 3], 3),
        (["--budget", "70%"], 1),
        (["--budget", "1x"], 5),
        (["--budget", "60%", "--quantity", "params"], 1),
    ],
)
def test_a_point_is_exported_beside_the_winner(tuckprune, made, arguments, number):
    tuckprune("export", made)
    before = tree(made)
    code, out, err = tuckprune("export", made, *arguments)
    assert code == 0, err
    folder = made / f"point-{number}"
    written = sorted(folder.iterdir())
    assert sorted(out.split()) == [str(path) for path in written] and len(written) == 3
    after = tree(made)
    assert {name: after[name] for name in before} == before and len(after) == len(before) + 4
    assert read_parameters([folder / "parameters.json"]).parameters == parameters(CHOICES[number][0])
    built = apply_parameters(load_model(made.parents[1] / "tiny.keras"), read_parameters(written).parameters)
    _, out, _ = tuckprune("front", made, "--json")
    entries = {entry["source"]: entry for entry in json.loads(out)}
    built_cost = CostModel(analyse(built)).cost(NONE)
    assert built_cost == records(find_study(made, "run"))[number].cost
    if f"trial {number}" in entries:
        assert (entries[f"trial {number}"]["flops"], entries[f"trial {number}"]["params"]) == (
            built_cost.flops,
            built_cost.params,
        )


def test_a_point_in_a_folder_of_ones_choice(tuckprune, made, tmp_path):
    tuckprune("export", made, "--trial", 1, "--out", tmp_path / "mine")
    assert read_parameters([tmp_path / "mine" / "pruning.txt"]).parameters == parameters(0.3)
    tuckprune("export", made, "--out", tmp_path / "winner")
    assert read_parameters([tmp_path / "winner" / "parameters.json"]).parameters == parameters(0.1)
    assert not (made / "parameters.json").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--trial", 9], "received 9; choose another --trial"),
        (["--trial", 9], "those of 0 to 6 that are finished"),
        (["--trial", 4], "trial 4 of '{run}' is failed: loss is nan; choose another --trial"),
        (["--trial", 6], "trial 6 of '{run}' is infeasible, its budget is not met; choose another --trial"),
        (["--budget", "1%"], "within the budget: the cheapest needs {flops} FLOPs, received 1% = "),
        (["--budget", "5G"], "budget.flops: expected at most the original"),
        (["--budget", "many"], "budget.flops: expected a fraction (0.25)"),
        (["--budget", "50%", "--quantity", "latency"], "has no latencies"),
        (["--trial", 1, "--out", "{run}"], "expected another folder than the run's"),
    ],
)
def test_points_that_cannot_be_exported(tuckprune, made, arguments, expected):
    line = refused(tuckprune, made, "export", made, *(str(item).format(run=made) for item in arguments))
    assert expected.format(run=made, flops=flops(2)) in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["--trial", 1, "--budget", "50%"],
        ["--quantity", "flops"],
        ["--trial", "-1"],
        ["--budget", "1", "--quantity", "x"],
    ],
)
def test_wrong_usage(tuckprune, made, arguments):
    code, _, _ = tuckprune("export", made, *arguments)
    assert code == 2


def test_runs_without_points(tuckprune, home):
    assert "is not a run folder" in refused(tuckprune, home, "front", home / "runs" / "run")
    given = config(home)
    with RunFolder.of(given).opened(given):
        open_study(RunFolder.of(given).path, given.name, "journal")
    assert "no trial in" in refused(tuckprune, home, "front", home / "runs" / "run")
    line = refused(tuckprune, home, "export", home / "runs" / "run", "--trial", 0)
    assert "none finished yet, received 0" in line


def test_a_trial_tells_the_steps_of_its_last_rung():
    spent = cost("tiny").cost(parameters(0.5))
    rungs = (Rung(30, Score({"accuracy": 0.5, "loss": 0.5}), 0.5), Rung(90, Score({"accuracy": 0.6, "loss": 0.5}), 0.5))
    trial = TrialRecord(
        0, "stopped", parameters(0.5), spent, Score({"accuracy": 0.6, "loss": 0.5}), 1.0, None, None, rungs=rungs
    )
    assert front_table.judged_after(trial) == "90 steps"
    assert front_table.entry(trial, PARAMS, ORIGINAL)["factor"] == ORIGINAL.params / spent.params


def test_another_model_than_the_searched_one_is_refused(tuckprune, made):
    tie_to_model(open_study(made, "run", "journal"), model("chain"))
    assert "was started with another model" in refused(tuckprune, made, "front", made)
    assert "was started with another model" in refused(tuckprune, made, "export", made, "--trial", 1)


def test_the_front_needs_no_model_where_the_study_knows_its_cost(tuckprune, made, monkeypatch):
    code, read, _ = tuckprune("front", made)
    keep_original(open_study(made, "run", "journal"), ORIGINAL)
    monkeypatch.setattr("search.runs.points.original_graph", None)
    assert (code, read) == (0, tuckprune("front", made)[1])
    with pytest.raises(TypeError):  # The channels are those of the model.
        RunPoints.of(made).graph  # noqa: B018


def test_finalists_are_points_of_their_own(made):
    study = open_study(made, "run", "journal")
    best = parameters(0.6)
    for source, given, accuracy in (("trial 1", parameters(0.3), 0.95), (RECOMMENDED, best, 0.93)):
        expected = cost("tiny").cost(given)
        store(
            study,
            Finalist(
                source,
                given,
                expected,
                None if accuracy is None else Score({"accuracy": accuracy, "loss": 0.1}),
                1.0,
                None,
                ACCURACY,
            ),
        )
    points = RunPoints.of(made)
    sources = [point.source for point in points.points(FLOPS)]
    assert sources == ["trial 2", RECOMMENDED, "trial 0", "trial 1", "trial 5"]
    chosen = points.within(str(cost("tiny").cost(best).flops), FLOPS)
    paths = points.export(chosen, None)
    assert {path.parent.name for path in paths} == {"point-recommended"}
    assert read_parameters(paths[:2]).parameters == best
    assert points.quantity(None) == FLOPS and points.quantity("params") == PARAMS
