"""Stratification and disjointness for arbitrary class sizes."""

from math import ceil

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compress.errors import DataError
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.data.split import limited, stratified_split
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.multilabel import Multilabel


def _numbered(sizes: list[int]) -> Split:
    """Images whose one float pixel is their own number, shuffled."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return Split(np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1), labels.astype(np.int64))


_SIZES = st.lists(st.integers(1, 60), min_size=2, max_size=6)


@given(_SIZES, st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
def test_parts_are_disjoint_complete_and_in_proportion(sizes: list[int], fraction: float, seed: int) -> None:
    split = _numbered(sizes)
    try:
        rest, held = stratified_split(split, fraction, seed, held_out="validation")
    except DataError:
        # Refused only when a class is really too small for one of the parts, one of which is rounded by an image.
        assert min(min(size * fraction, size * (1 - fraction)) for size in sizes) < 1 + max(sizes) / sum(sizes)
        return
    numbers = np.concatenate([rest.images.ravel(), held.images.ravel()])
    assert sorted(numbers.tolist()) == list(range(len(split)))
    assert len(held) == ceil(fraction * len(split))
    for part in (rest, held):
        # Each image kept its own label, and each class its share, to the nearest whole image on either side.
        np.testing.assert_array_equal(part.targets, split.targets[part.images.ravel().astype(int)])
        counts = np.bincount(part.targets, minlength=len(sizes))
        assert counts.min() >= 1
        assert np.abs(counts - np.array(sizes) * len(part) / len(split)).max() < 1


@given(_SIZES, st.integers(0, 2**32 - 1))
def test_the_seed_decides(sizes: list[int], seed: int) -> None:
    assume(min(sizes) >= 4)
    split = _numbered(sizes)
    first, again = (stratified_split(split, 0.5, seed, held_out="test")[1].images.ravel() for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_another_seed_draws_other_images() -> None:
    split = _numbered([50, 50])
    first, second = (stratified_split(split, 0.5, seed, held_out="test")[1].images.ravel() for seed in (0, 1))
    assert set(first) != set(second)


def test_a_class_too_small_is_named() -> None:
    with pytest.raises(DataError, match=r"class 'cat' for the validation split and the rest, received 3 \(11 of 103"):
        stratified_split(_numbered([100, 3]), 0.1, 0, held_out="validation", class_names=("dog", "cat"))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_an_impossible_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(DataError, match=rf"test fraction in \(0, 1\), received {fraction}"):
        stratified_split(_numbered([10, 10]), fraction, 0, held_out="test")


def test_a_limit_takes_as_many_in_proportion_and_at_or_above_all_leaves_the_split() -> None:
    parts = {"train": _numbered([20, 40]), "validation": _numbered([5, 5]), "test": _numbered([6, 12])}
    data = ImageDataset(
        name="numbers", task=Classification(2), normalization=Normalization(1.0, (0.0,), (1.0,)), **parts
    )
    for count in (60, 61, None):
        assert limited(data, train=count, test=count, seed=0).train is data.train
    fewer = limited(data, train=30, test=9, seed=0)
    assert np.bincount(fewer.train.targets).tolist() == [10, 20] and np.bincount(fewer.test.targets).tolist() == [3, 6]
    assert set(fewer.train.images.ravel()) < set(data.train.images.ravel()) and fewer.validation is data.validation


def test_a_limit_that_leaves_a_class_without_images_is_refused() -> None:
    """Average precision of a class that no test image has would be 0 without a word."""
    labels = np.zeros((20, 2), np.float32)
    labels[:10, 0] = labels[0, 1] = 1
    split = Split(np.zeros((20, 8, 8, 1), np.uint8), labels)
    data = ImageDataset("many", split, split, split, Multilabel(), Normalization(1.0, (0.0,), (1.0,)))
    assert limited(data, train=20, test=20, seed=0).test is split
    with pytest.raises(DataError, match="in the test split .* with class 1; .*; or raise data.train_limit or data.te"):
        limited(data, train=None, test=5, seed=0)


def test_a_limit_is_the_number_of_images_whatever_is_rounded() -> None:
    """7 / 25 * 25 is above 7 in floating point."""
    data = ImageDataset(
        "numbers", *[_numbered([12, 13])] * 3, task=Classification(2), normalization=Normalization(1.0, (0.0,), (1.0,))
    )
    for count in range(4, 22):
        fewer = limited(data, train=count, test=count, seed=0)
        assert (len(fewer.train), len(fewer.test)) == (count, count)
