"""Labels that are no class numbers are called what they are."""

import numpy as np
import pytest

from compress.errors import DataError
from zoo.data.source import as_split
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.labels import class_numbers


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_integers_are_taken(shape: tuple[int, ...], dtype: type) -> None:
    numbers = class_numbers(np.array([2, 0, 1], dtype).reshape(shape), "mine")
    assert numbers.dtype == np.int64 and numbers.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (np.eye(3), "received float64 of shape (3, 3): one-hot rows; turn them into class numbers with argmax(axis=1)"),
        (np.eye(3, dtype=np.int64)[[2, 0, 0, 1]], "one-hot rows; "),
        (np.eye(3, dtype=bool), "one-hot rows; "),
        (np.array([[1, 1, 0], [0, 0, 1]]), "not one-hot, as for several labels an image; set task: multilabel"),
        (np.zeros((2, 3)), "not one-hot, as for several labels an image; set task: multilabel"),
        (np.array([[0.2, 0.8], [0.5, 0.5]]), "rows of probabilities; turn them into class numbers with argmax(axis=1)"),
        (np.array([[4.0, 8.0, 1.5, 2.0]]), "4 numbers an image; set task: regression"),
        (
            np.zeros((2, 4, 4), np.uint8),
            "masks, boxes or other labels of 2 axes an image; set task: segmentation",
        ),
        (
            np.zeros((2, 4, 4, 1), bool),
            "masks, boxes or other labels of 3 axes an image; set task: segmentation",
        ),
        (np.array([0.5, 1.5]), "a number an image; set task: regression"),
        (np.array([np.nan, 1.0]), "a number an image; set task: regression"),
        (np.array([0.0, 2.0]), "whole numbers as floats; if they are class numbers, turn them into integers with asty"),
        (np.array([[0.5], [1.5]]), "received float64 of shape (2, 1): a number an image; set task: regression"),
        (np.array([True, False]), "true or false; turn them into class numbers with astype('int64')"),
        (np.array(["cat", "dog"]), "names such as 'cat'; number them from 0 with numpy.unique"),
        (np.array([["cat"], ["dog"]], object), "names such as 'cat'; number them from 0 with numpy.unique"),
        (np.array([b"cat"]), "names such as b'cat'; number them"),
        (np.array([{1}, {2}], object), "objects such as {1}; turn them into class numbers"),
        (np.array(None), "objects such as None; turn them into class numbers"),
        (
            np.zeros((0, 3)),
            "that are not one-hot, as for several labels an image; set task: multilabel",
        ),
    ],
)
def test_other_labels_are_named(labels: np.ndarray, kind: str) -> None:
    with pytest.raises(DataError) as error:
        as_split(np.zeros((len(labels) if labels.ndim else 1, 2, 2), np.uint8), labels, "mine", Classification())
    message = str(error.value)
    assert message.startswith("expected integer labels of shape (N,) in mine, received ") and kind in message
    assert ("argmax" in message) == ("one-hot rows;" in message or "probabilities" in message) and "\n" not in message


@pytest.mark.parametrize("largest", [4, 4_294_967_295, 2**63 - 1])
def test_more_classes_than_images_are_refused_before_they_are_named(largest: int) -> None:
    task, train = Classification(), np.array([0, 1, 2, 3])
    assert task.fitted(train) == Classification(4)
    with pytest.raises(DataError, match=f"labels below 4, .*; received {largest}; number the classes from 0 without g"):
        task.fitted(train, np.array([0, largest]))
