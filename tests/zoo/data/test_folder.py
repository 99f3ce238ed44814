"""Image folders of real files: layouts, pixels, sizes, and every way in which a folder can be wrong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.errors import DataError
from zoo.data.sources.folder import folder

_RED, _BLUE = (255, 0, 0), (0, 0, 255)


def _write(path: Path, colour: object = _RED, size: tuple[int, int] = (4, 4), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """train/cat 2, train/dog 1, test/cat 1, test/dog 1; cats are red, dogs blue."""
    for path, colour in [("train/dog/0", _BLUE), ("train/cat/1", _RED), ("train/cat/0", _RED), ("test/cat/0", _RED)]:
        _write(tmp_path / f"{path}.png", colour)
    _write(tmp_path / "test/dog/0.png", _BLUE)
    return tmp_path


def test_classes_are_alphabetical_and_pixels_exact(pets: Path) -> None:
    data = folder(pets)
    assert data.class_names == ("cat", "dog") and data.name == pets.name
    assert data.train.labels.tolist() == [0, 0, 1]
    assert data.test is not None and data.test.labels.tolist() == [0, 1]
    assert data.train.images.shape == (3, 4, 4, 3) and data.train.images.dtype == np.uint8
    assert data.train.images[:, 0, 0].tolist() == [[255, 0, 0], [255, 0, 0], [0, 0, 255]]
    assert data.test.images[:, 3, 3].tolist() == [[255, 0, 0], [0, 0, 255]]


def test_class_folders_without_train_and_test(pets: Path) -> None:
    data = folder(pets / "train")
    assert data.test is None and data.train.labels.tolist() == [0, 0, 1]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    _write(tmp_path / "car/0.png")
    _write(tmp_path / "train/0.png")
    assert folder(tmp_path).class_names == ("car", "train")


def test_grey_images_keep_one_channel(tmp_path: Path) -> None:
    _write(tmp_path / "a/0.png", 7, mode="L")
    _write(tmp_path / "b/0.png", 9, mode="L")
    images = folder(tmp_path).train.images
    assert images.shape == (2, 4, 4, 1) and images[:, 0, 0, 0].tolist() == [7, 9]
    _write(tmp_path / "b/1.png", _BLUE)
    assert folder(tmp_path).train.images[:, 0, 0].tolist() == [[7, 7, 7], [9, 9, 9], [0, 0, 255]]


def test_every_file_lands_at_its_own_index(tmp_path: Path) -> None:
    """More files than one task of the thread pool takes."""
    for index in range(300):
        _write(tmp_path / ("a" if index < 200 else "b") / f"{index:03}.png", index % 256, (1, 1), "L")
    data = folder(tmp_path)
    assert data.train.images.ravel().tolist() == [index % 256 for index in range(300)]
    assert data.train.labels.tolist() == [0] * 200 + [1] * 100


def test_image_size_is_height_then_width(tmp_path: Path) -> None:
    _write(tmp_path / "a/0.png", size=(8, 6))
    _write(tmp_path / "b/0.png", _BLUE, size=(3, 9))
    images = folder(tmp_path, (2, 5)).train.images
    assert images.shape == (2, 2, 5, 3)
    assert (images[0] == _RED).all() and (images[1] == _BLUE).all()


def test_another_size_names_both(tmp_path: Path) -> None:
    _write(tmp_path / "a/0.png", size=(8, 6))
    odd = _write(tmp_path / "b/0.png", size=(3, 9))
    with pytest.raises(DataError, match=f"8x6 as .*0.png; received 3x9 in {odd}; give an image_size"):
        folder(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no image", "truncated"])
def test_a_corrupt_file_is_named(pets: Path, content: bytes | str) -> None:
    broken = pets / "train/dog/1.png"
    whole = (pets / "train/dog/0.png").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    with pytest.raises(DataError, match=f"readable image at {broken}, received ") as error:
        folder(pets)
    assert "\n" not in str(error.value)


def test_all_corrupt_files_are_named_at_once(tmp_path: Path) -> None:
    for index in range(15):
        _write(tmp_path / f"train/{'cat' if index % 2 else 'dog'}/{index:02}.jpg")
    broken = [tmp_path / f"train/{'cat' if index % 2 else 'dog'}/{index:02}.jpg" for index in range(1, 13)]
    for path in broken:
        path.write_bytes(path.read_bytes()[:-100])
    # The first file of all is one of them; another has the wrong size.
    _write(tmp_path / "train/dog/14.jpg", size=(3, 3))
    with pytest.raises(DataError, match="^13 of 15 image files cannot be used: expected a readable image at ") as error:
        folder(tmp_path)
    named = [str(path) for path in broken if str(path) in str(error.value)]
    assert len(named) == 10 and str(error.value).endswith("| and 3 more") and "\n" not in str(error.value)


def test_files_that_are_no_images_are_named(pets: Path) -> None:
    (pets / "train/dog/notes.txt").write_text("good dog")
    (pets / "test/cat/more").mkdir()
    with pytest.raises(
        DataError, match="^2 of 7 image files cannot be used: .*notes.txt.* \\| .*more, received IsADir"
    ):
        folder(pets)


def test_deep_pixels_are_refused(pets: Path) -> None:
    deep = _write(pets / "train/dog/1.png", 4000, mode="I;16")
    # Pillow calls the mode of a 16-bit file I before its version 11.
    with pytest.raises(DataError, match=f"8 bits a channel at {deep}, received mode I(;16)?;"):
        folder(pets)


def test_an_empty_class_is_named(pets: Path) -> None:
    (pets / "train/bird").mkdir()
    with pytest.raises(DataError, match="images of class 'bird' in .*, received an empty folder"):
        folder(pets)


def test_a_class_missing_from_test_is_named(pets: Path) -> None:
    _write(pets / "train/bird/0.png")
    with pytest.raises(DataError, match="received a difference in bird"):
        folder(pets)


def test_other_parts_are_not_skipped(pets: Path) -> None:
    _write(pets / "val/cat/0.png")
    with pytest.raises(DataError, match="expected only train and test in .*, received val"):
        folder(pets)


def test_loose_files_are_not_skipped_but_hidden_ones_are(pets: Path) -> None:
    (pets / "train/.hidden").write_bytes(b"")
    (pets / "train/cat/.hidden").write_bytes(b"")
    assert len(folder(pets).train) == 3
    _write(pets / "train/loose.png")
    with pytest.raises(DataError, match="received 2 folders and 1 files such as loose.png"):
        folder(pets)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two or more folders of images.*received 0 folders and 0 files"):
        folder(tmp_path)
