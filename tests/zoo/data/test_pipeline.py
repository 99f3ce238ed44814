"""Pipelines of a user in place of arrays: read once, with what is wrong with them in one line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from compress.errors import DataError
from zoo.data.load import load_dataset
from zoo.data.pipeline import Pipeline, is_pipeline
from zoo.tasks.kinds.classification import Classification

_DATA = tf.data.Dataset
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (10, 4, 6, 3), np.uint8), np.arange(10) % 2
MASKS, SERIES = RNG.integers(0, 2, (10, 4, 6)), RNG.normal(size=(10, 4, 3))


class _Batches(keras.utils.PyDataset):
    """Of four, four and two examples; without end, or failing in the last, if asked to."""

    def __init__(self, images: Any = IMAGES, targets: Any = LABELS, ends: bool = True, fails: bool = False) -> None:
        super().__init__()
        self._images, self._targets, self._ends, self._fails = images, targets, ends, fails

    @property
    def num_batches(self) -> int | None:
        return 3 if self._ends else None

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if self._fails and index == 2:
            raise OSError("no\ndisk")
        some = slice(4 * (index % 3), 4 * (index % 3) + 4)
        return self._images[some], self._targets[some]


def _examples(*given: Any) -> _DATA:
    return _DATA.from_tensor_slices(given)


def _unknown(count: int, fails: bool = False) -> _DATA:
    """Examples of which TensorFlow does not know how many there are."""

    def examples() -> Iterator[tuple[Any, Any]]:
        for i in range(count):
            yield IMAGES[i % 10], LABELS[i % 10]
        if fails:
            raise OSError("no disk")

    specs = tf.TensorSpec((4, 6, 3), tf.uint8), tf.TensorSpec((), tf.int64)
    return _DATA.from_generator(examples, output_signature=specs)


def _pipeline(given: Any, *, series: bool = False, limit: int | None = None, most: float = 1e9) -> Pipeline:
    return Pipeline(given, "mine train", series, True, limit, most)


@pytest.mark.parametrize(
    ("given", "images", "targets"),
    [
        (_examples(IMAGES, LABELS), IMAGES, LABELS),
        (_examples(IMAGES, LABELS).batch(4), IMAGES, LABELS),
        (_examples(IMAGES, MASKS), IMAGES, MASKS),
        (_examples(IMAGES, MASKS).batch(4), IMAGES, MASKS),
        (_examples(IMAGES, np.eye(3)[LABELS]), IMAGES, LABELS),
        (_examples(IMAGES, np.eye(3)[LABELS]).batch(4), IMAGES, LABELS),
        (_examples(IMAGES[..., 0], LABELS), IMAGES[..., 0], LABELS),
        (_examples(IMAGES[..., 0], LABELS).batch(5, drop_remainder=True), IMAGES[..., 0], LABELS),
        (_examples({"pixels": IMAGES}, {"class": LABELS}).batch(4), IMAGES, LABELS),
        (_unknown(10), IMAGES, LABELS),
        (_Batches(), IMAGES, LABELS),
        (_Batches(IMAGES[..., 0]), IMAGES[..., 0], LABELS),
    ],
)
def test_examples_and_batches_are_told_apart(given: Any, images: np.ndarray, targets: np.ndarray) -> None:
    received = _pipeline(given).read()
    np.testing.assert_array_equal(received[0], images)
    np.testing.assert_array_equal(received[1], targets)
    assert received[0].dtype == np.uint8


@pytest.mark.parametrize("batch", [0, 4])
def test_series_of_a_model_that_takes_them(batch: int) -> None:
    examples = _examples(SERIES, LABELS)
    images, targets = _pipeline(examples.batch(batch) if batch else examples, series=True).read()
    np.testing.assert_array_equal(images, SERIES.astype(np.float32))
    np.testing.assert_array_equal(targets, LABELS)


@pytest.mark.parametrize("given", [_unknown(10**9), _examples(IMAGES, LABELS).repeat(), _Batches(ends=False)])
def test_reading_stops_at_the_limit(given: Any) -> None:
    images, targets = _pipeline(given, limit=13, most=2000).read()
    np.testing.assert_array_equal(images, IMAGES[np.arange(13) % 10])
    np.testing.assert_array_equal(targets, LABELS[np.arange(13) % 10])


def _weighted() -> _DATA:
    return _examples(IMAGES, LABELS, np.ones(10)).batch(4)


def _odd_sizes(images: Any, labels: Any) -> _DATA:
    return _examples(images[:2], labels[:2]).concatenate(_examples(images[:2, :3], labels[:2]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            _examples(IMAGES, LABELS).repeat(),
            r"that ends from mine train, received an endless _Repeat.*data\.train_lim",
        ),
        (_Batches(ends=False), "a pipeline that ends from mine train, received an endless _Batches; take"),
        (
            _unknown(10**9),
            r"at most 2e-06 GB .* as data\.in_memory says, received more \(26 examples read\); set data\.t",
        ),
        (_examples(IMAGES, LABELS).take(10).repeat(9), r"received more \(1 examples read\)"),
        (_examples(IMAGES, LABELS).skip(10), "expected at least one example from mine train, received a pipeline w"),
        (_unknown(3, fails=True), r"to the end from mine train, received UnknownError: .*OSError: no disk.* after 3$"),
        (
            _examples(IMAGES, LABELS).take(3).apply(tf.data.experimental.assert_cardinality(5)),
            "to the end from mine train, received .* expected to contain 5 elements but contained only 3 .* after 3$",
        ),
        (_Batches(fails=True), "expected elements to the end from mine train, received OSError: no disk after 2"),
        (_weighted(), "in element 0 of mine train, received sample weights as well; .* task: compiled"),
        (_DATA.from_tensor_slices(IMAGES), r"expected \(x, y\), .* element 0 of mine train, received ndarray alone"),
        (_examples({"a": IMAGES, "b": IMAGES}, LABELS), "one array of inputs .*, received a dictionary of a, b"),
        (
            _examples(IMAGES, (LABELS, MASKS)),
            "one array of inputs and one of targets in .*, received a tuple of 2; choose",
        ),
        (
            _odd_sizes(IMAGES, LABELS),
            r"shape \(4, 6, 3\) with targets of shape \(\) and, in element 2, inputs of shape",
        ),
        (
            _Batches(targets=LABELS[:9]),
            r"a target for each input in element 2 .*\(2, 4, 6, 3\) with targets of shape \(1,",
        ),
        (_examples(np.zeros((9, 6, 6, 9)), np.zeros((9, 6, 6))), "may be one image or a batch of grey ones; batch"),
    ],
)
def test_a_pipeline_s_fault_is_one_line(given: Any, message: str) -> None:
    assert is_pipeline(given)
    with pytest.raises(DataError, match=message) as error:
        _pipeline(given, most=2000).read()
    assert "\n" not in str(error.value)


_MODULE = """
import numpy as np, tensorflow as tf

images, labels = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), np.uint8), np.arange(20) % 2
train = tf.data.Dataset.from_tensor_slices((images, np.eye(2)[labels])).batch(8)

def two():
    return train.repeat(), (images[:4], labels[:4])

def three():
    return train, (images[:4] // 2, labels[:4]), (images[:4], labels[:4])

def one():
    return train
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    (tmp_path / "my_pipes.py").write_text(_MODULE)
    monkeypatch.chdir(tmp_path)
    return lambda name, **given: load_dataset(f"my_pipes:{name}", task=Classification(2), **given)


def test_pipelines_and_arrays_are_loaded_together(load: Callable[..., Any]) -> None:
    lines: list[str] = []
    data = load("two", validation=0.25, train_limit=16, in_memory=5000, warn=lines.append)
    assert [len(split) for split in data.parts.values()] == [12, 4, 4]
    assert lines == [
        "my_pipes:two train is read once: what the pipeline changes at random is drawn once and stays; put random "
        "changes into augment"
    ]
    assert data.train.targets.dtype == np.int64
    assert [len(split) for split in load("three").parts.values()] == [20, 4, 4]


def test_another_number_of_parts_is_refused(load: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="tf.data.Datasets or PyDatasets in place of pairs, .*, received _BatchDataset"):
        load("one")
