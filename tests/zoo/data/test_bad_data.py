"""Data of a user that no model can be trained on: one line that says what is wrong, whatever the task."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from compress.errors import DataError
from zoo.data.dataset import check_model_fits
from zoo.data.load import load_dataset
from zoo.tasks.registry import make_task

_MODULE = """
import numpy as np

rng = np.random.default_rng(0)
images, labels = rng.integers(0, 256, (20, 8, 8, 3), np.uint8), np.arange(20) % 2
masks, sharp = rng.integers(0, 3, (20, 8, 8)), rng.integers(0, 256, (20, 24, 24, 3), np.uint8)

def of(targets, *others):
    return (images, targets, *others), (images, targets)

def small_masks(): return of(masks[:, :4])
def masks_above(): return of(np.where(masks == 2, 7, masks))
def label_above(): return of(np.where(np.arange(20) == 3, 5, labels))
def float_masks(): return of(masks / 2)
def one_label(): return of({"class": labels})
def two_labels(): return of({"class": labels, "kind": labels})
def fewer(): return (images, labels[:9]), (images, labels)
def weighted(): return of(labels, np.ones(20))
def three_times(): return of(sharp)
def nothing(): return of(None)
"""


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Loads what a function returns for a task, and holds it against a model."""
    (tmp_path / "bad_data.py").write_text(_MODULE)
    monkeypatch.chdir(tmp_path)

    def check(name: str, task: str, options: Mapping[str, Any]) -> None:
        inputs = keras.Input((8, 8, 3))
        last = {
            "classification": lambda: keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(inputs)),
            "segmentation": lambda: keras.layers.Conv2D(3, 1, activation="softmax")(inputs),
            "super_resolution": lambda: keras.layers.UpSampling2D(2)(inputs),
        }[task]
        data = load_dataset(f"bad_data:{name}", validation=0.2, task=make_task(task, options))
        check_model_fits(data, keras.Model(inputs, last()))

    return check


@pytest.mark.parametrize(
    ("name", "task", "options", "message"),
    [
        ("small_masks", "segmentation", {}, r"outputs of the targets' shape \(4, 8, 3\) .*, received \(8, 8, 3\) from"),
        ("masks_above", "segmentation", {"classes": 3}, "expected training labels from 0 to 2 .*, received 0 to 7"),
        ("masks_above", "segmentation", {}, r"the targets' shape \(8, 8, 8\) .*, received \(8, 8, 3\) from model"),
        (
            "label_above",
            "classification",
            {"classes": 2},
            "training labels from 0 to 1 .*, received 0 to 5; number the",
        ),
        ("float_masks", "segmentation", {}, "expected masks of class numbers .*, received float64"),
        (
            "two_labels",
            "classification",
            {},
            "one of targets in bad_data:two_labels train, received a dictionary of cl",
        ),
        ("fewer", "classification", {}, "one for each image; received int64 of shape \\(9,\\)"),
        ("weighted", "classification", {}, r"expected \(x, y\) in bad_data:weighted train, received sample weights"),
        (
            "three_times",
            "super_resolution",
            {"factor": 3},
            r"targets' shape \(24, 24, 3\) .* received \(16, 16, 3\) from",
        ),
        ("nothing", "classification", {}, "expected integer labels .*, received object"),
    ],
)
def test_bad_data_are_one_line(
    checked: Callable[..., None], name: str, task: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as error:
        checked(name, task, options)
    assert "\n" not in str(error.value)


def test_a_dictionary_of_one_entry_stands_for_it(checked: Callable[..., None]) -> None:
    checked("one_label", "classification", {})
    assert np.unique(load_dataset("bad_data:one_label").train.targets).tolist() == [0, 1]
