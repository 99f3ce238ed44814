"""Images, and targets that are images, give the numbers of those in memory while they stay in their files."""

import pickle
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.errors import DataError
from search import settings
from tests.search.fixtures.runs import config
from tests.zoo.data.files.layouts import LAYOUTS, written
from zoo.data.batches import CropAndFlip, ImageBatches, own_failures
from zoo.data.dataset import ImageDataset
from zoo.data.files import image_files
from zoo.data.files.decoding import Decoding
from zoo.data.files.file_array import FileArray
from zoo.data.load import load_dataset
from zoo.data.split import decoded, limited
from zoo.tasks.kinds.segmentation import Segmentation


def both(folder: Path, **options: object) -> tuple[ImageDataset, ImageDataset]:
    """The data set from its files, and in memory."""
    lazy, eager = (load_dataset(str(folder), in_memory=memory, **options) for memory in (0, 1e9))  # type: ignore[arg-type]
    assert isinstance(lazy.train.images, FileArray) and isinstance(eager.train.images, np.ndarray)
    return lazy, eager


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("image_size", [None, (4, 6)])
@pytest.mark.parametrize("parts", [("train",), ("train", "validation", "test")])
def test_splits_and_numbers_are_the_same(
    tmp_path: Path, mode: str, image_size: tuple[int, int] | None, parts: tuple[str, ...]
) -> None:
    lazy, eager = both(written(tmp_path, mode, parts=parts), image_size=image_size)
    assert (lazy.task, lazy.normalization, lazy.image_shape) == (eager.task, eager.normalization, eager.image_shape)
    for part, split in eager.parts.items():
        other = lazy.parts[part]
        np.testing.assert_array_equal(other.targets, split.targets)
        np.testing.assert_array_equal(other.images[:], split.images)
        np.testing.assert_array_equal(other.images[np.array([1, 0, 1])], split.images[[1, 0, 1]])
        np.testing.assert_array_equal(other.images[-1], split.images[-1])
        np.testing.assert_array_equal(list(other.images), split.images)
    fewer = [limited(data, train=4, test=2, seed=1).train for data in (lazy, eager)]
    np.testing.assert_array_equal(fewer[0].images[:], fewer[1].images)
    assert isinstance(fewer[0].images, FileArray)


def test_what_limits_leave_out_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = written(tmp_path, parts=("train", "test"))
    eager = limited(load_dataset(str(source)), train=4, test=2, seed=0)
    opened: list[Path] = []
    opening = Decoding.open
    monkeypatch.setattr(Decoding, "open", lambda self, path: (opened.append(path), opening(self, path))[1])
    data = settings.dataset(config(tmp_path, data={"source": str(source), "train_limit": 4, "test_limit": 2}))
    assert isinstance(data.train.images, np.ndarray)
    # The first file says the size, and normalization takes CIFAR's constants for colours; some are looked at again.
    np.testing.assert_array_equal(data.train.images, eager.train.images)
    np.testing.assert_array_equal(data.test.images, eager.test.images)
    small = decoded(replace(data, train=load_dataset(str(source), in_memory=0).train), 100)
    assert isinstance(small.train.images, FileArray)


def test_batches_are_the_same(tmp_path: Path) -> None:
    batches = [
        ImageBatches(data.train, data.normalization, 3, seed=1, task=data.task, augmentation=CropAndFlip(1, True))
        for data in both(written(tmp_path))
    ]
    for number in range(len(batches[0])):
        for lazy, eager in zip(batches[0][number], batches[1][number], strict=True):
            np.testing.assert_array_equal(lazy, eager)


def test_a_bounded_number_is_kept_and_none_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "KEPT_BYTES", 3 * 7 * 5 * 3)
    images = both(written(tmp_path))[0].train.images
    expected = images[:]
    assert len(images.files._kept) == 3
    for path in images.files.paths[:3]:
        path.unlink()
    np.testing.assert_array_equal(images[:3], expected[:3])
    sent = pickle.loads(pickle.dumps(images))
    assert sent.shape == images.shape and not sent.files._kept
    with pytest.raises(DataError, match="expected a readable image at .*png, received FileNotFoundError"):
        sent[0]


SHORT, TEXT, BYTE = 3, 2, 1
"""Types of values in EXIF data."""


def orientation(kind: int, value: bytes) -> bytes:
    """EXIF data of a JPEG file with nothing but an orientation, as cameras and programs write it, or miswrite it."""
    entry = struct.pack("<HHHI4s", 1, 0x0112, kind, len(value) if kind == TEXT else 1, value)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry + struct.pack("<I", 0)


@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        *((orientation(SHORT, struct.pack("<H", number)), number in (5, 6, 7, 8)) for number in range(11)),
        (orientation(TEXT, b"6\0"), False),
        (orientation(BYTE, b"\6"), False),
        (b"Exif\0\0no such data", False),
    ],
)
def test_orientation_turns_the_size_as_well(tmp_path: Path, exif: bytes, turned: bool) -> None:
    for path in written(tmp_path).rglob("*.png"):
        Image.open(path).save(path.with_suffix(".jpg"), exif=exif)
        path.unlink()
    lazy, eager = both(tmp_path, exif_orientation=True)
    assert lazy.image_shape == eager.image_shape == ((7, 5, 3) if turned else (5, 7, 3))
    np.testing.assert_array_equal(lazy.test.images[:], eager.test.images)


def test_headers_that_are_wrong_are_named_at_once(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "train" / "a" / "3.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((5, 8, 3), np.uint8)).save(tmp_path / "train" / "b" / "4.png")
    with pytest.raises(DataError, match="2 of 20 image files cannot be used: .*3.png.*7x5 as .* 8x5 in .*4.png"):
        load_dataset(str(tmp_path), in_memory=0)


def test_the_digest_is_of_the_files(tmp_path: Path) -> None:
    images = both(written(tmp_path))[0].train.images
    before = images.files.digest
    assert pickle.loads(pickle.dumps(images)).files.digest == before
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(images.files.paths[2])
    assert images.files.digest != before


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("image_size", [None, (12, 16)])
def test_targets_in_files_are_those_in_memory(tmp_path: Path, name: str, image_size: tuple[int, int] | None) -> None:
    task, written_pairs = LAYOUTS[name]
    lazy, eager = both(written_pairs(tmp_path), task=task, image_size=image_size)
    assert (lazy.task, lazy.normalization, lazy.image_shape) == (eager.task, eager.normalization, eager.image_shape)
    augmentation = CropAndFlip(0, True)
    for part, split in eager.parts.items():
        other = pickle.loads(pickle.dumps(lazy.parts[part]))
        assert isinstance(other.targets, FileArray)
        assert (other.targets.shape, other.targets.dtype) == (split.targets.shape, split.targets.dtype)
        assert other.targets.nbytes == split.targets.nbytes
        chosen = np.array([1, 0, 1])
        for received, expected in zip(other.at(chosen), split.at(chosen), strict=True):
            np.testing.assert_array_equal(received, expected)
        np.testing.assert_array_equal(other.targets[-1], split.targets[-1])
        assert other.targets[:0].shape == split.targets[:0].shape
        whole = other.decoded()
        np.testing.assert_array_equal(whole.images, split.images)
        np.testing.assert_array_equal(whole.targets, split.targets)
    shared = lazy.train.sharing(np.array([4, 1]))
    for received, expected in zip(shared.at(np.array([1, 2, 4])), eager.train.at(np.array([1, 2, 4])), strict=True):
        np.testing.assert_array_equal(received, expected)
    assert (shared.images.files is shared.targets.files) == (name == "sharp")
    fewer = [limited(data, train=4, test=3, seed=1) for data in (lazy, eager)]
    batches = [
        ImageBatches(data.train, data.normalization, 3, seed=1, task=data.task, augmentation=augmentation)
        for data in fewer
    ]
    for received, expected in zip(*(batches[one][0] for one in (0, 1)), strict=True):
        np.testing.assert_array_equal(received, expected)


def test_a_sharp_image_is_decoded_once_for_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, written_pairs = LAYOUTS["sharp"]
    monkeypatch.setattr(image_files, "KEPT_BYTES", 0)
    split = both(written_pairs(tmp_path), task=task)[0].validation
    opened: list[Path] = []
    opening = Decoding.open
    monkeypatch.setattr(Decoding, "open", lambda self, path: (opened.append(path), opening(self, path))[1])
    split.at(np.array([0, 1]))
    assert sorted(opened) == sorted(split.images.files.paths[:2])


def test_masks_that_are_wrong_are_named_before_anything_is_trained(tmp_path: Path) -> None:
    task, written_pairs = LAYOUTS["masks"]
    folder = written_pairs(tmp_path)
    mask = folder / "train" / "masks" / "3.png"

    def refused(match: str, classes: int | None = None) -> None:
        for in_memory in (0, 1e9):
            with pytest.raises(DataError, match=match):
                load_dataset(str(folder), task=replace(task, classes=classes), in_memory=in_memory)

    load_dataset(str(folder), task=replace(task, classes=5), in_memory=0)
    with pytest.raises(DataError, match=r"labels from 0 to 3 .* received 1 to 4 in .*masks.*\.png; number"):
        load_dataset(str(folder), task=replace(task, classes=4), in_memory=0)
    good = mask.read_bytes()
    Image.fromarray(np.zeros((12, 15), np.uint8)).save(mask)
    refused("14x12 as .* received 15x12 in .*3.png")
    Image.fromarray(np.zeros((12, 14, 3), np.uint8)).save(mask)
    refused("expected a mask of class numbers, in one channel, at .*3.png, received mode RGB")
    mask.write_bytes(good[: len(good) // 2])
    refused("expected a readable image at .*3.png")
    for path in mask.parent.iterdir():
        Image.fromarray(np.zeros((12, 16), np.uint8)).save(path)
    refused("expected masks of their images' size in .*train, 12 by 14, received 12 by 16")


def test_every_mask_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, written_pairs = LAYOUTS["masks"]
    folder = written_pairs(tmp_path)
    decoded_files: list[Path] = []
    decoding = Decoding.image
    monkeypatch.setattr(Decoding, "image", lambda self, path: (decoded_files.append(path), decoding(self, path))[1])
    data = limited(load_dataset(str(folder), task=task, in_memory=0), train=4, test=3, seed=1)
    assert data.task == Segmentation(5, 0)
    masks = [path for path in decoded_files if path.parent.name == "masks"]
    assert len(masks) == len(set(masks)) == 24


def test_a_file_that_is_damaged_later_is_named_through_other_errors(tmp_path: Path) -> None:
    data = both(written(tmp_path))[0]
    split = pickle.loads(pickle.dumps(data.train))
    batches = ImageBatches(split, data.normalization, 4, seed=1, task=data.task)
    split.images.files.paths[3].write_bytes(b"no image")
    with pytest.raises(DataError, match="expected a readable image at .*png, received Un"), own_failures(batches):
        try:
            [batches[number] for number in range(len(batches))]
        except DataError as error:
            raise RuntimeError("Graph execution error") from error
    with pytest.raises(RuntimeError, match="of another"), own_failures():
        raise RuntimeError("of another")
