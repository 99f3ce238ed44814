"""Folders of other tasks: masks and targets beside their images, tables, sharp images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from compress.errors import DataError
from zoo.data.load import load_dataset
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.image_to_image import ImageToImage
from zoo.tasks.kinds.multilabel import Multilabel
from zoo.tasks.kinds.regression import Regression
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.kinds.super_resolution import SuperResolution

RNG = np.random.default_rng(0)


def written(path: Path, pixels: np.ndarray, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    if palette:
        picture = Image.fromarray(pixels, "P")
        picture.putpalette(RNG.integers(0, 256, 768, np.uint8).tobytes())
    picture.save(path)


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Ten pairs of 6 by 8 pixels; the masks of even number are palette images."""
    for number in range(10):
        written(tmp_path / "images" / f"{number}.png", noise(6, 8, 3))
        mask = np.full((6, 8), number % 3, np.uint8)
        mask[0] = 7
        written(tmp_path / "masks" / f"{number}.png", mask, palette=number % 2 == 0)
    return tmp_path


def test_masks_are_read_as_they_are(masks: Path) -> None:
    data = load_dataset(str(masks), task=Segmentation(ignored_label=7))
    assert data.task == Segmentation(3, 7)
    for split in data.parts.values():
        assert split.targets.shape == (len(split), 6, 8) and split.images.shape == (len(split), 6, 8, 3)
        assert (split.targets[:, 0] == 7).all() and (split.targets[:, 1:] < 3).all()
    assert sum(len(split) for split in data.parts.values()) == 10


def test_parts_are_splits_and_masks_keep_their_numbers_when_resized(masks: Path) -> None:
    for part in ("train", "validation", "test"):
        for kind in ("images", "masks"):
            for path in (masks / kind).glob("*.png"):
                pixels = noise(6, 8, 3) if kind == "images" else np.asarray(Image.open(path))
                written(masks / "all" / part / kind / path.name, pixels)
    data = load_dataset(str(masks / "all"), task=Segmentation(3, 7), image_size=(3, 5))
    assert [len(split) for split in data.parts.values()] == [10, 10, 10]
    assert data.train.images.shape[1:3] == data.train.targets.shape[1:] == (3, 5)
    assert set(np.unique(data.train.targets)) <= {0, 1, 2, 7}


def test_pairs_of_images(tmp_path: Path) -> None:
    for number in range(10):
        image = noise(12, 14, 3)
        written(tmp_path / "images" / f"{number}.png", image)
        written(tmp_path / "targets" / f"{number}.png", 255 - image)
    data = load_dataset(str(tmp_path), task=ImageToImage())
    np.testing.assert_allclose(data.train.targets, 1 - data.train.images / 255, atol=1e-6)


def test_sharp_images_are_reduced_for_the_model(tmp_path: Path) -> None:
    for number in range(10):
        written(tmp_path / "any" / "where" / f"{number}.png", np.full((24, 30, 3), 20 * number, np.uint8))
    data = load_dataset(str(tmp_path), task=SuperResolution(2), image_size=(24, 24))
    assert data.train.images.shape[1:] == (12, 12, 3) and data.train.targets.shape[1:] == (24, 24, 3)
    np.testing.assert_allclose(data.train.images[:, ::1, 0, 0] / 255, data.train.targets[:, ::2, 0, 0], atol=1e-6)
    with pytest.raises(DataError, match="whose height and width 5 divides, received 24 by 24; give an image_size"):
        load_dataset(str(tmp_path), task=SuperResolution(5), image_size=(24, 24))
    with pytest.raises(DataError, match="height and width 4 divides, received 24 by 30"):
        load_dataset(str(tmp_path), task=SuperResolution(4))


def rows(folder: Path, head: str, lines: list[str]) -> None:
    (folder / "labels.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


def test_a_table_of_numbers_and_of_labels(tmp_path: Path) -> None:
    for number in range(20):
        written(tmp_path / "photos" / f"{number}.png", np.full((4, 4, 3), number, np.uint8))
    rows(tmp_path, "file,age,size", [f"photos/{number}.png,{number},{number / 2}" for number in range(20)])
    data = load_dataset(str(tmp_path), task=Regression())
    np.testing.assert_allclose(data.train.targets[:, 0], data.train.images[:, 0, 0, 0])
    np.testing.assert_allclose(data.train.targets[:, 1], data.train.targets[:, 0] / 2)
    rows(tmp_path, "file,odd,high", [f"photos/{number}.png,{number % 2},{number // 10}" for number in range(20)])
    data = load_dataset(str(tmp_path), task=Multilabel(), validation=0.3)
    np.testing.assert_array_equal(data.train.targets[:, 0], data.train.images[:, 0, 0, 0] % 2)


def test_a_folder_of_images_that_a_table_names_may_have_any_name(tmp_path: Path) -> None:
    for number in range(20):
        written(tmp_path / "test" / f"{number}.png", np.full((4, 4, 3), number, np.uint8))
    rows(tmp_path, "file,age", [f"test/{number}.png,{number}" for number in range(20)])
    data = load_dataset(str(tmp_path), task=Regression())
    assert sum(len(split) for split in data.parts.values()) == 20


def sharp(folder: Path) -> None:
    for number in range(3):
        written(folder / f"{number}.png", noise(8, 8, 3))


def pairs(folder: Path) -> None:
    for number in range(3):
        written(folder / "images" / f"{number}.png", noise(6, 8, 3))
        written(folder / "masks" / f"{number}.png", np.full((6, 8), number % 2, np.uint8))


def tabled(folder: Path) -> None:
    written(folder / "a.png", noise(4, 4, 3))
    rows(folder, "file,age", ["a.png,1"])


@pytest.mark.parametrize(
    ("task", "write"), [(SuperResolution(), sharp), (Segmentation(2), pairs), (Regression(), tabled)]
)
def test_parts_without_one_to_train_on_are_refused(tmp_path: Path, task: Any, write: Any) -> None:
    """Images of a test would be trained on, or left out without a word."""
    for folder in (tmp_path, tmp_path / "test", tmp_path / "val"):
        write(folder)
    with pytest.raises(DataError, match="expected a folder train beside test, val in .*, received none; move what is"):
        load_dataset(str(tmp_path), task=task)


def broken(masks: Path, what: str) -> None:
    if what == "size":
        written(masks / "masks" / "3.png", np.zeros((6, 9), np.uint8))
    if what == "all sizes":
        for path in (masks / "masks").iterdir():
            written(path, np.zeros((6, 9), np.uint8))
    if what == "colour":
        written(masks / "masks" / "3.png", noise(6, 8, 3))
    if what == "alone":
        (masks / "masks" / "3.png").unlink()
    if what == "no masks":
        (masks / "masks").rename(masks / "answers")
    if what == "label":
        written(masks / "masks" / "3.png", np.full((6, 8), 5, np.uint8))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("size", "expected images of one size, 8x6 as .*; received 9x6 in .*3.png"),
        ("all sizes", "expected masks of their images' size in .*, 6 by 8, received 6 by 9; write them anew"),
        ("colour", "expected a mask of class numbers, in one channel, at .*3.png, received mode RGB"),
        ("alone", "expected a file of the same name .* for every image, received .*images/3.png"),
        ("no masks", "expected a folder images and one of masks or targets .* received answers, images"),
        ("label", "labels from 0 to 2 in data set .*, received 0 to 5"),
    ],
)
def test_broken_pairs_are_refused(masks: Path, what: str, message: str) -> None:
    broken(masks, what)
    with pytest.raises(DataError, match=message):
        load_dataset(str(masks), task=Segmentation(3, 7))


@pytest.mark.parametrize(
    ("head", "line", "message"),
    [
        ("name,age", "a.png,1", "expected a column 'file' and one or more of numbers, and rows, in .*, received name"),
        ("file,age", "a.png,old", "expected numbers in line 2 of .*labels.csv, received ValueError"),
        ("file,age", "a.png,1,2", "expected 1 numbers in line 2 of .*, as the columns say, received 2"),
        ("file,age", "b.png,1", "expected the files that .*labels.csv names, received none at .*b.png"),
        ("file,age", "a.png,1\n./a.png,2", "each file in one row of .*, received ./a.png in lines 2 and 3; write all"),
    ],
)
def test_broken_tables_are_refused(tmp_path: Path, head: str, line: str, message: str) -> None:
    written(tmp_path / "a.png", noise(4, 4, 3))
    rows(tmp_path, head, [line])
    with pytest.raises(DataError, match=message):
        load_dataset(str(tmp_path), task=Regression())


def test_no_table_and_no_images(tmp_path: Path) -> None:
    cases: list[tuple[Any, str]] = [
        (Regression(), "expected a readable table at"),
        (SuperResolution(), "expected images in .*, received none"),
        (
            Segmentation(),
            "expected a folder images and one of masks or targets in .*, received nothing",
        ),
        (Classification(), "expected two or more folders of images"),
    ]
    for task, message in cases:
        with pytest.raises(DataError, match=message):
            load_dataset(str(tmp_path), task=task)
