"""What commands print with --json: the figures themselves, and nothing else on standard output."""

import json

from compress.graph.analysis import analyse
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from objectives.cost.cost_model import CostModel
from search.pipeline.judging import Comparison
from search.runs.outcome import find_run
from search.runs.results import read_results
from tests.search.fixtures.nets import cost, model
from tests.search.fixtures.runs import written
from tests.search.pipeline.test_judging import AGAIN, RECORD

WHOLE = CompressionParameters.none()


def test_inspect(tuckprune, home):
    code, out, err = tuckprune("inspect", home / "tiny.keras", "--json")
    assert code == 0 and "Prunable groups" in err
    said, graph = json.loads(out), analyse(model("tiny"))
    assert {group["name"]: group["channels"] for group in said["groups"]} == {"add": 16, "block.conv1": 16, "conv2": 24}
    assert [layer["layer"] for layer in said["decomposable"]] == [layer.layer for layer in graph.decomposable]
    assert said["not_pruned"] == {exclusion.name: exclusion.reason for exclusion in graph.excluded}
    assert "softmax" in said["not_pruned"]["linear"]
    assert said["total"] == cost("tiny").cost(WHOLE).stored()
    # 3x3 of 1 channel into 16, and a bias each, at 8 x 8 positions.
    assert said["layers"]["conv1"]["flops"] == (2 * 9 + 1) * 16 * 64
    assert sum(layer["flops"] for layer in said["layers"].values()) == said["total"]["flops"]


def test_inspect_shows_the_choices_of_a_configuration(tuckprune, home):
    layers = {"conv1": "keep", "conv2": {"ratio": [0, 0.5], "rank": 0.25}, "block.*1": {"rank_out": [2, 99]}}
    path = written(home, space={"layers": layers})
    code, out, err = tuckprune("inspect", home / "tiny.keras", "--config", path, "--json")
    assert code == 0, err
    # conv1 is in the group "add", and cannot be decomposed; a quarter of conv2's 16 and 24 channels is 4 and 6.
    assert json.loads(out)["choices"] == {
        "add": {"ratio": [0.0, 0.0]},
        "conv2": {"ratio": [0.0, 0.5], "rank_in": [4, 4], "rank_out": [6, 6]},
        "block.conv1": {"rank_in": [1, 16], "rank_out": [2, 16]},
    }
    shown = err[err.index("Choices of space.layers") :]
    assert "not pruned" in shown and "0 to 0.5" in shown and "2 to 16" in shown
    wrong = written(home, space={"layers": {"conv3": "keep"}})
    code, _, err = tuckprune("inspect", home / "tiny.keras", "--config", wrong)
    assert code == 1 and "space.layers: unknown layer or group 'conv3'; nearest: 'conv2'" in err


def test_train(tuckprune, tmp_path, small_zoo):
    path = written(tmp_path, model={"zoo": "digits_resnet"})
    code, out, err = tuckprune("train", path, "--json")
    assert code == 0 and "training digits_resnet on digits" in err
    said = json.loads(out)
    assert said["path"] == str(tmp_path / "runs" / "run" / "model.keras")
    kept = json.loads((tmp_path / "runs" / "run" / "results" / "original.json").read_text())
    assert {name: said[name] for name in kept} == kept


def test_a_finished_search(tuckprune, run):
    code, out, err = tuckprune("search", run.config, "--json")
    assert code == 0 and "next: tuckprune export" in err
    outcome, said = find_run(run.folder), json.loads(out)
    assert (said["run"], said["trials"]) == (str(run.folder), len(outcome.trials))
    winner = said["winner"]
    assert (winner["source"], winner["figures"]) == (outcome.winner.source, outcome.winner.score.figures)
    assert winner["cost"] == outcome.winner.cost.stored()
    assert winner["ratios"] == dict(outcome.winner.parameters.ratios)
    assert {name: tuple(pair) for name, pair in winner["ranks"].items()} == dict(outcome.winner.parameters.ranks)


def test_report(tuckprune, run):
    code, out, err = tuckprune("report", run.folder, "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["files"] and all(file.startswith(str(run.folder)) for file in said["files"])
    assert said["results"] == [result.stored() for result in read_results(run.folder / "results")]


def test_export(tuckprune, run, tmp_path):
    code, out, err = tuckprune("export", run.folder, "--out", tmp_path, "--json")
    assert (code, err) == (0, "")
    files = json.loads(out)["files"]
    assert sorted(files) == sorted(str(path) for path in tmp_path.iterdir())


def test_compress(tuckprune, home):
    path = written(home, recipe=["prune"], space={"ranks": False})
    (home / "own.txt").write_text("'add' : 0.5\n")
    code, out, err = tuckprune(
        "compress", home / "tiny.keras", "--params", home / "own.txt", "--config", path, "--json"
    )
    assert code == 0 and "test accuracy" in err
    made, folder = json.loads(out), home / "runs" / "run"
    assert (made["path"], made["label"], made["exports"]) == (str(folder / "search.keras"), "search", [])
    assert made["flops"] == CostModel(analyse(load_model(folder / "search.keras"))).cost(WHOLE).flops
    del made["path"], made["exports"]
    assert made == json.loads((folder / "results" / "search.json").read_text())


def test_judge():
    assert Comparison(RECORD, AGAIN).entry == {
        "recorded": {"accuracy": 0.75, "loss": 0.9},
        "again": {"accuracy": 0.75, "loss": 0.9},
    }
