"""Batches against the data set they come from, augmentation against crops and flips made one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ConfigError, DataError
from zoo.data.batches import (
    CropAndFlip,
    ImageBatches,
    OrderedBatches,
    epoch_indices,
    evaluated_at_once,
    evaluation_batches,
    gather,
)
from zoo.data.dataset import Normalization, Split
from zoo.tasks.kinds.classification import Classification

_HALF = Normalization(1.0, (0.0,), (2.0,))


def _numbered(count: int) -> Split:
    images = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1)
    images.flags.writeable = False
    return Split(images, np.arange(count, dtype=np.int64))


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 100))
def test_an_epoch_takes_every_image_once_in_even_batches(n: int, batch_size: int, seed: int) -> None:
    batches = epoch_indices(n, batch_size, np.random.default_rng(seed))
    sizes = [len(batch) for batch in batches]
    assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    assert len(batches) == -(-n // batch_size) and max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1


def test_gather_by_hand() -> None:
    x, y = gather(_numbered(9), np.array([7, 2]), _HALF)
    assert x.shape == (2, 1, 1, 1) and x.dtype == np.float32 and x.ravel().tolist() == [3.5, 1.0]
    assert y.tolist() == [7, 2] and y.dtype == np.int64


def test_gather_augments_raw_images() -> None:
    x, _ = gather(_numbered(9), np.array([7, 2]), _HALF, lambda images, labels: (images + 1, labels))
    assert x.ravel().tolist() == [4.0, 1.5]


@given(st.integers(0, 4), st.booleans(), st.integers(0, 1000))
def test_augmented_images_are_crops_made_one_by_one(padding: int, flip: bool, seed: int) -> None:
    """Each result is one of the padded image's crops, flipped or not; all pixels differ, so the match is unique."""
    images = np.arange(1, 1 + 3 * 4 * 5 * 2, dtype=np.uint8).reshape(3, 4, 5, 2)
    out, labels = CropAndFlip(padding, flip)(
        images, np.array([2, 0, 1]), Classification(3), np.random.default_rng(seed)
    )
    assert labels.tolist() == [2, 0, 1]
    assert out.shape == images.shape and out.dtype == np.uint8
    for image, result in zip(images, out, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
        crops = [padded[r : r + 4, c : c + 5] for r in range(2 * padding + 1) for c in range(2 * padding + 1)]
        crops += [crop[:, ::-1] for crop in crops] if flip else []
        assert any(np.array_equal(result, crop) for crop in crops)


def test_every_offset_and_both_directions_occur_equally_often() -> None:
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3, 1)
    out, _ = CropAndFlip(1, True)(
        np.repeat(image, 9000, axis=0), np.zeros(9000), Classification(2), np.random.default_rng(0)
    )
    unique, counts = np.unique(out.reshape(9000, 9), axis=0, return_counts=True)
    # 3 x 3 offsets, flipped or not: 500 of each expected, standard deviation 22.
    assert len(unique) == 18 and 380 < counts.min() and counts.max() < 620


def test_without_flip_and_padding_nothing_changes() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    changed, _ = CropAndFlip(0, False)(images, np.zeros(5), 1, np.random.default_rng(1))
    np.testing.assert_array_equal(changed, images)


def test_a_negative_padding_is_refused() -> None:
    with pytest.raises(DataError, match="received -1"):
        CropAndFlip(-1, False)


def test_a_padding_beyond_the_image_is_refused() -> None:
    """A crop could show nothing but black; of millions of pixels there is no memory for one batch, after a search."""
    images, labels = np.zeros((2, 6, 8, 3), np.uint8), np.zeros(2)
    CropAndFlip(5, False).check(images, labels, Classification(2))
    with pytest.raises(ConfigError, match=r"augment.padding: expected less than .* side of 6 pixels.*, received 6"):
        CropAndFlip(6, False).check(images, labels, Classification(2))


def _epoch(batches: ImageBatches) -> list[list[float]]:
    return [batches[index][0].ravel().tolist() for index in range(len(batches))]


def test_training_batches_are_decided_by_seed_and_epoch() -> None:
    first, again, other = (
        ImageBatches(_numbered(50), _HALF, 16, seed=seed, task=Classification(50)) for seed in (1, 1, 2)
    )
    epochs = []
    for _ in range(2):
        epochs.append(_epoch(first))
        assert epochs[-1] == _epoch(again) and epochs[-1] != _epoch(other)
        assert sorted(value for batch in epochs[-1] for value in batch) == [n / 2 for n in range(50)]
        first.on_epoch_end()
        again.on_epoch_end()
    assert epochs[0] != epochs[1]


def test_a_batch_read_twice_is_augmented_alike() -> None:
    images = np.random.default_rng(0).random((20, 8, 8, 1), np.float32)
    split = Split(images, np.zeros(20, np.int64))
    batches = ImageBatches(split, _HALF, 10, seed=0, task=Classification(10), augmentation=CropAndFlip(2, True))
    first = batches[0][0]
    np.testing.assert_array_equal(first, batches[0][0])
    assert not np.array_equal(np.sort(first.ravel()), np.sort(gather(split, batches._indices[0], _HALF)[0].ravel()))
    batches.on_epoch_end()
    assert not np.array_equal(first, batches[0][0])


def test_ordered_batches_take_every_image_in_order() -> None:
    batches = OrderedBatches(_numbered(10), _HALF, 4)
    assert [batches[index][1].tolist() for index in range(len(batches))] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize(("side", "expected"), [(32, 20), (512, 10), (4096, 1)])
def test_large_images_are_evaluated_in_small_batches(side: int, expected: int) -> None:
    """The U-Net of the zoo takes 0.1 GB for an image of 512 by 512 pixels: 512 at once fit few machines."""
    images = np.broadcast_to(np.zeros(1, np.uint8), (20, side, side, 3))
    split = Split(images, np.zeros(20, np.int64))
    assert (evaluated_at_once(split, 512), evaluated_at_once(split, 8)) == (expected, min(7, expected))


@pytest.mark.parametrize(
    ("count", "most", "sizes"), [(40, 32, [20, 20]), (33, 32, [17, 16]), (5, 2, [2, 2, 1]), (3, 8, [3])]
)
def test_evaluation_batches_are_about_as_large_as_one_another(count: int, most: int, sizes: list[int]) -> None:
    batches = list(evaluation_batches(_numbered(count), most, _HALF))
    assert [len(targets) for _, targets in batches] == sizes
    assert [len(images) for images, _ in batches] == [sizes[0]] * len(sizes)
    assert [number for _, targets in batches for number in targets.tolist()] == list(range(count))
    for images, targets in batches:
        np.testing.assert_array_equal(images[: len(targets)], gather(_numbered(count), targets, _HALF)[0])
