"""Images that stay in their files give the numbers of those in memory."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.errors import DataError
from search import settings
from tests.search.fixtures.runs import config
from zoo.data import file_images
from zoo.data.batches import CropAndFlip, ImageBatches
from zoo.data.dataset import ImageDataset
from zoo.data.decoding import Decoding
from zoo.data.file_images import FileImages
from zoo.data.load import load_dataset
from zoo.data.split import decoded, limited

RNG = np.random.default_rng(0)


def written(folder: Path, mode: str = "RGB", parts: tuple[str, ...] = ("train",)) -> Path:
    """Two classes of ten images of 5 by 7 pixels in each part."""
    for part in parts:
        for label in "ab":
            place = folder / part / label
            place.mkdir(parents=True)
            for number in range(10):
                shape = (5, 7) if mode == "L" else (5, 7, 3)
                Image.fromarray(RNG.integers(0, 256, shape, np.uint8)).save(place / f"{number}.png")
    return folder


def both(folder: Path, **options: object) -> tuple[ImageDataset, ImageDataset]:
    """The data set from its files, and in memory."""
    lazy, eager = (load_dataset(str(folder), in_memory=memory, **options) for memory in (0, 1e9))  # type: ignore[arg-type]
    assert isinstance(lazy.train.images, FileImages) and isinstance(eager.train.images, np.ndarray)
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
    assert isinstance(fewer[0].images, FileImages)


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
    assert isinstance(small.train.images, FileImages)


def test_batches_are_the_same(tmp_path: Path) -> None:
    batches = [
        ImageBatches(data.train, data.normalization, 3, seed=1, task=data.task, augmentation=CropAndFlip(1, True))
        for data in both(written(tmp_path))
    ]
    for number in range(len(batches[0])):
        for lazy, eager in zip(batches[0][number], batches[1][number], strict=True):
            np.testing.assert_array_equal(lazy, eager)


def test_a_bounded_number_is_kept_and_none_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_images, "KEPT_BYTES", 3 * 7 * 5 * 3)
    images = both(written(tmp_path))[0].train.images
    expected = images[:]
    assert len(images._kept) == 3
    for path in images.paths[:3]:
        path.unlink()
    np.testing.assert_array_equal(images[:3], expected[:3])
    sent = pickle.loads(pickle.dumps(images))
    assert sent.shape == images.shape and not sent._kept
    with pytest.raises(DataError, match="expected a readable image at .*png, received FileNotFoundError"):
        sent[0]


def test_orientation_turns_the_size_as_well(tmp_path: Path) -> None:
    for path in written(tmp_path).rglob("*.png"):
        picture = Image.open(path)
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(path.with_suffix(".jpg"), exif=exif)
        path.unlink()
    lazy, eager = both(tmp_path, exif_orientation=True)
    assert lazy.image_shape == (7, 5, 3)
    np.testing.assert_array_equal(lazy.test.images[:], eager.test.images)


def test_headers_that_are_wrong_are_named_at_once(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "train" / "a" / "3.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((5, 8, 3), np.uint8)).save(tmp_path / "train" / "b" / "4.png")
    with pytest.raises(DataError, match="2 of 20 image files cannot be used: .*3.png.*7x5 as .* 8x5 in .*4.png"):
        load_dataset(str(tmp_path), in_memory=0)


def test_the_digest_is_of_the_files(tmp_path: Path) -> None:
    images = both(written(tmp_path))[0].train.images
    before = images.digest
    assert pickle.loads(pickle.dumps(images)).digest == before
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(images.paths[2])
    assert images.digest != before
