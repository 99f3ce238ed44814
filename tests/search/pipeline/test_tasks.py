"""A task that is no classification, from its data to the report."""

import json

import keras
import numpy as np
import pytest

from search.runs.results import read_results
from search.runs.run_folder import RunFolder
from tests.objectives.tasks import dataset, model
from tests.search.fixtures.runs import config, written
from zoo.data.load import load_dataset
from zoo.tasks.kinds.regression import Regression
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.training.evaluation import evaluate

SEGMENTATION = Segmentation(3, 9)
IGNORED = {"name": "segmentation", "options": {"ignored_label": 9}}


def arrays(task, folder):
    """The drawn data set of a task, as a file."""
    data = dataset(task)
    parts = {f"{axis}_{part}": getattr(data, part) for part in ("train", "test") for axis in "xy"}
    values = {key: split.images if key[0] == "x" else split.targets for key, split in parts.items()}
    np.savez(folder / "drawn.npz", **values)
    return {"source": str(folder / "drawn.npz"), "validation": 0.3}


@pytest.fixture
def segmented(tmp_path):
    model(SEGMENTATION).save(tmp_path / "tiny.keras")
    return {
        "data": arrays(SEGMENTATION, tmp_path),
        "task": IGNORED,
        "training": {"epochs": 1, "batch_size": 8, "augment": {"padding": 0, "flip": True}},
        "finetune": {"epochs": 1, "distillation": {}},
        "finals": {"candidates": 1, "epochs": 1},
        "space": {"ranks": False},
        "recipe": ["prune"],
        "search": {"trials": 2, "workers": 1, "sensitivity": False},
    }


def test_a_segmentation_is_searched_compressed_and_reported(tmp_path, segmented, tuckprune, local_pool):
    path = written(tmp_path, **segmented)
    code, out, err = tuckprune("search", path, "--json")
    assert code == 0, err
    winner = json.loads(out)["winner"]
    assert winner["figures"].keys() == {"mean_IoU", "pixel_accuracy", "loss"} and winner["metric"] == "mean_IoU"
    run = RunFolder.of(config(tmp_path, **segmented))
    assert tuckprune("export", run.path)[0] == 0
    code, out, err = tuckprune(
        "compress", tmp_path / "tiny.keras", "--params", run.path / "pruning.txt", "--config", path
    )
    assert code == 0, err
    assert "search.keras: test mean_IoU " in out and " %, pixel_accuracy " in out
    original, searched = read_results(run.results)
    data = load_dataset(segmented["data"]["source"], validation=0.3, task=SEGMENTATION)
    made = keras.models.load_model(run.path / "search.keras")
    assert dict(searched.figures) == pytest.approx(dict(evaluate(made, data, data.test).figures), rel=1e-4)
    assert [metric.name for metric in original.shown] == ["mean_IoU", "pixel_accuracy"]
    code, out, err = tuckprune("report", run.path)
    assert code == 0, err
    page = (run.path / "report.html").read_text()
    for text in (">Mean IoU (delta)<", ">Pixel accuracy (delta)<", "Mean IoU against MFLOPs", 'alt="Search 5"'):
        assert text in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"search": {"metric": "accuracy"}},
            "search.metric: expected mean_IoU, pixel_accuracy, loss, or a metr",
        ),
        ({"task": None}, "expected integer labels of shape (N,) in"),
        ({"task": "image_to_image"}, "expected target images (N, height, width, channels), uint8 or float"),
        ({"task": {"name": "segmentation", "options": {"classes": 3}}}, "training labels from 0 to 2"),
        ({"task": "segmentations"}, "task: expected one of classification, image_to_image, multilabel, regression"),
        (
            {"finetune": {"epochs": 1, "class_weights": "balanced"}},
            "finetune.class_weights: expected null for segm",
        ),
        (
            {"finetune": {"epochs": 1, "augment": {"padding": 2}}},
            "finetune.augment.padding: expected 0 for segmentat",
        ),
        ({"finetune": {"epochs": 1, "loss": "Dice"}}, "expected one that can ignore a label, SparseCategoricalCrossen"),
        (
            {"model": {"zoo": "resnet20"}},
            "'resnet20': expected the task classification, received segmentation; g",
        ),
    ],
)
def test_what_does_not_go_with_the_task_is_one_line(tmp_path, segmented, tuckprune, change, message):
    command = "train" if "model" in change else "search"
    code, _, err = tuckprune(command, written(tmp_path, **segmented | change))
    assert code == 1 and message in err and err.startswith("error: ") and len(err.splitlines()) == 1


def test_a_model_of_other_outputs_is_one_line(tmp_path, segmented, tuckprune):
    model(Regression()).save(tmp_path / "tiny.keras")
    code, _, err = tuckprune("search", written(tmp_path, **segmented))
    assert code == 1 and "expected outputs of the targets' shape (12, 12, 3)" in err and "received (3,)" in err
