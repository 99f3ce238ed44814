"""What is refused of a data set before it meets a model, and what is not."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from zoo.data.checks import check_dataset, check_disjoint
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.data.load import CIFAR_NORMALIZATION, load_dataset
from zoo.tasks.kinds.classification import Classification

RNG = np.random.default_rng(0)
RAW = Normalization(1.0, (0.0,) * 3, (1.0,) * 3)
HALF = Normalization(255.0, (0.0,) * 3, (1.0,) * 3)
# The means that keras.applications subtracts of images for its older networks.
CAFFE = Normalization(1.0, (103.939, 116.779, 123.68), (1.0,) * 3)


def split(count: int, low: int = 0, high: int = 256) -> Split:
    return Split(RNG.integers(low, high, (count, 4, 4, 3)).astype(np.uint8), np.arange(count) % 3)


SMALL = {"validation": split(12), "test": split(6)}


def dataset(normalization: Normalization = CIFAR_NORMALIZATION, **splits: Split) -> ImageDataset:
    parts = {"train": split(30), "validation": split(12), "test": split(6), **splits}
    return ImageDataset(name="noise", task=Classification(3), normalization=normalization, **parts)


def floats(given: Split, divisor: float = 1.0) -> Split:
    return Split((given.images / divisor).astype(np.float32), given.targets)


@pytest.mark.parametrize("normalization", [CIFAR_NORMALIZATION, RAW, HALF, CAFFE])
def test_what_is_usual_for_8_bit_images_is_taken(normalization: Normalization) -> None:
    check_dataset(dataset(normalization))
    check_dataset(dataset(normalization, train=split(30, 0, 20)))
    check_dataset(dataset(normalization, train=split(30, 200, 256)))


def test_digits_are_taken() -> None:
    check_dataset(load_dataset("digits"))


@given(st.integers(0, 254), st.integers(1, 255))
def test_raw_bytes_of_any_range_are_taken(low: int, width: int) -> None:
    check_dataset(dataset(RAW, train=split(30, low, min(256, low + 1 + width))))


@pytest.mark.parametrize(
    ("normalization", "train"),
    [
        (replace(CIFAR_NORMALIZATION, scale=1.0), split(30)),
        (replace(CIFAR_NORMALIZATION, scale=1.0), floats(split(30))),
        (CIFAR_NORMALIZATION, floats(split(30), 255)),
        (HALF, floats(split(30), 255)),
        (HALF, split(30, 7, 8)),
    ],
    ids=["bytes not scaled", "floats not scaled", "scaled twice", "scaled twice, no deviation", "constant"],
)
def test_a_value_range_that_does_not_fit_is_named_with_its_keys(normalization: Normalization, train: Split) -> None:
    others = {part: replace(one, images=one.images.astype(train.images.dtype)) for part, one in SMALL.items()}
    data = dataset(normalization, train=train, **others)
    channels = normalization(train.images).reshape(-1, 3)
    with pytest.raises(DataError) as error:
        check_dataset(data)
    said = re.search(r"received mean (\S+) and standard deviation (\S+) in the channel", str(error.value))
    assert said is not None
    assert abs(float(said[1])) == pytest.approx(np.abs(channels.mean(axis=0)).max(), rel=1e-2)
    assert float(said[2]) == pytest.approx(channels.std(axis=0).max(), rel=1e-2, abs=1e-3)
    for key in ("data.scale", "data.mean [", "data.std [", "pixels from", "values that the model was trained with"):
        assert key in str(error.value)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_class_missing_in_any_split_is_named(part: str) -> None:
    whole = split(12)
    lacking = Split(whole.images, np.where(whole.targets == 1, 2, whole.targets))
    name = {"train": "training"}.get(part, part)
    with pytest.raises(DataError, match=f"all 3 classes in the {name} split of data set 'noise', .* of class '1'"):
        check_dataset(dataset(**{part: lacking}))
    with pytest.raises(DataError, match="received none of class 'dog'"):
        check_dataset(dataset(**{part: lacking}), ("cat", "dog", "bird"))


def test_many_missing_classes_are_cut_short() -> None:
    data = replace(dataset(), task=Classification(20))
    with pytest.raises(DataError, match="of class '3', '4', .*'12', ...; add"):
        check_dataset(data)


@pytest.mark.parametrize(("shared", "refused"), [(0, False), (1, False), (2, True), (12, True)])
def test_validation_images_that_are_trained_on_are_counted(shared: int, refused: bool) -> None:
    train, validation = split(30), split(12)
    train.images[5 : 5 + shared] = validation.images[:shared]
    data = dataset(train=train, validation=validation)
    if refused:
        with pytest.raises(DataError, match=f"received {shared} of 12 that are in the training split too"):
            check_disjoint(data)
    else:
        check_disjoint(data)


def test_more_classes_than_images_are_refused_before_they_are_counted() -> None:
    with pytest.raises(DataError, match="at most 30 classes in data set 'noise', .*, received 4294967296; number"):
        check_dataset(replace(dataset(), task=Classification(2**32)))
