"""Models of two outputs, from the search to the compressed file: as compiled, and with a task for each output."""

import json
import sys

import keras
import pytest

from search.report.blocks import Pictures
from search.report.run_view import RunView
from search.report.sections.answers import answers
from search.runs.results import read_results
from search.runs.run_folder import RunFolder
from tests.objectives.fitting.two_outputs import arrays, compiled, saved
from tests.search.fixtures.runs import config, written

SMALL = {
    "data": {"source": "tests.objectives.fitting.two_outputs:drawn"},
    "proxy": {"steps": 1, "batch_size": 16, "recalibration_images": 16, "distillation": None},
    "space": {"ranks": False},
    "recipe": ["prune"],
    "search": {"trials": 1, "workers": 1, "sensitivity": False},
}
OUTPUTS = {"outputs": {"mask": "segmentation", "kind": {"name": "classification", "weight": 0.5}}}


@pytest.fixture
def folder(tmp_path):
    """A folder with the compiled model."""
    saved(tmp_path / "tiny.keras")
    return tmp_path


def test_a_compiled_model_is_searched_and_compressed(folder, tuckprune, local_pool):
    given = SMALL | {
        "task": "compiled",
        "finetune": {"epochs": 1, "batch_size": 16, "distillation": {}},
        "finals": {"candidates": 0},
    }
    given["search"] = SMALL["search"] | {"metric": "mask_accuracy"}
    path = written(folder, **given)
    code, out, err = tuckprune("search", path, "--json")
    assert code == 0, err
    winner = json.loads(out)["winner"]
    assert winner["metric"] == "mask_accuracy" and "kind_ce" in winner["figures"]
    run = RunFolder.of(config(folder, **given))
    assert tuckprune("export", run.path)[0] == 0
    code, out, err = tuckprune(
        "compress", folder / "tiny.keras", "--params", run.path / "pruning.txt", "--config", path
    )
    assert code == 0 and "search.keras: test mask_accuracy " in out, err
    (pictures,) = (block for block in answers.make(RunView.of(run.path)) if isinstance(block, Pictures))
    labels = [f"{label}: {name}" for name in ("kind", "mask") for label in ("Right", "Original", "Search")]
    assert [row[0] for row in pictures.rows] == ["Image", *labels]
    searched = read_results(run.results)[1]
    images, targets, _ = arrays(16, 2)
    made = compiled(keras.models.load_model(run.path / "search.keras"))
    expected = made.evaluate(images, targets, verbose=0, return_dict=True)
    assert dict(searched.figures) == pytest.approx(expected, rel=1e-4)


def test_a_task_for_each_output_is_searched(folder, tuckprune, local_pool):
    given = SMALL | {"task": {"name": "outputs", "options": OUTPUTS}}
    code, out, err = tuckprune("search", written(folder, **given), "--json")
    assert code == 0, err
    winner = json.loads(out)["winner"]
    assert winner["metric"] == "kind_accuracy" and "mask_mean_IoU" in winner["figures"]


MODULE = """
from tests.objectives.fitting.two_outputs import drawn

def raising():
    raise ValueError("no such disk")

def fewer():
    return drawn()[:1]
"""


def test_a_configuration_for_them_is_written_by_hand(folder, tuckprune):
    code, _, err = tuckprune(
        "init", "--model", folder / "tiny.keras", "--data", SMALL["data"]["source"], "--task", "compiled"
    )
    assert code == 1 and "task: expected one whose images can be looked at, received 'compiled'; write" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"search": {"metric": "accuracy"}}, "search.metric: expected one of kind_ce, mask_accuracy, loss, mask_loss"),
        ({"data": {"source": "own_fit_data:raising"}}, "'own_fit_data:raising', received ValueError: no such disk"),
        ({"data": {"source": "own_fit_data:fewer"}}, "expected (train, validation, test) or (train, test) from 'own"),
        (
            {"task": "compild"},
            "super_resolution, compiled, outputs or module:Class, received 'compild'; did you mean compil",
        ),
        ({"task": {"name": "compiled", "options": {"loss": "mse"}}}, "task.options: compiled takes none, received los"),
    ],
)
def test_what_cannot_be_searched_is_one_line(folder, tuckprune, monkeypatch, change, message):
    (folder / "own_fit_data.py").write_text(MODULE)
    monkeypatch.chdir(folder)
    code, _, err = tuckprune("search", written(folder, **SMALL | {"task": "compiled"} | change))
    sys.modules.pop("own_fit_data", None)
    assert code == 1 and message in err and err.startswith("error: ") and len(err.splitlines()) == 1
