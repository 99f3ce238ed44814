"""Image folders of real files: layouts, pixels, sizes, and every way in which a folder can be wrong."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from compress.disk import declared_size
from compress.errors import DataError
from zoo.data.folders.class_files import folder_files
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
    assert data.train.targets.tolist() == [0, 0, 1]
    assert data.test is not None and data.test.targets.tolist() == [0, 1]
    assert data.train.images.shape == (3, 4, 4, 3) and data.train.images.dtype == np.uint8
    assert data.train.images[:, 0, 0].tolist() == [[255, 0, 0], [255, 0, 0], [0, 0, 255]]
    assert data.test.images[:, 3, 3].tolist() == [[255, 0, 0], [0, 0, 255]]


def test_class_folders_without_train_and_test(pets: Path) -> None:
    data = folder(pets / "train")
    assert data.test is None and data.train.targets.tolist() == [0, 0, 1]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    _write(tmp_path / "car/0.png")
    _write(tmp_path / "train/0.png")
    assert folder(tmp_path).class_names == ("car", "train")


@pytest.mark.parametrize(
    "files", [("test/cat", "test/dog", "val/cat", "val/dog"), ("train", "test"), ("Valid", "TEST")]
)
def test_parts_are_not_taken_for_classes(tmp_path: Path, files: tuple[str, ...]) -> None:
    for path in files:
        _write(tmp_path / path / "0.png")
    with pytest.raises(DataError, match="expected a folder train with a folder for each class in .*, received .* and"):
        folder(tmp_path)


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
    assert data.train.targets.tolist() == [0] * 200 + [1] * 100


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


def test_what_keras_does_not_read_is_named_once(pets: Path) -> None:
    for path in ["labels.csv", "train/Thumbs.db", "train/dog/desktop.ini", "train/dog/notes.txt", "test/cat/0.webp"]:
        (pets / path).write_bytes(b"no image")
    _write(pets / "train/__MACOSX/dog/0.png")
    _write(pets / "train/cat/__MACOSX/0.png")
    _write(pets / "train/loose.png")
    os.mkfifo(pets / "train/cat/pipe.png")
    lines: list[str] = []
    data = folder(pets, warn=lines.append)
    assert data.class_names == ("cat", "dog") and len(data.train) == 3
    assert lines == [
        f"9 entries of {pets} not read, because only jpg, jpeg, png, bmp and gif files in folders of classes are: "
        "labels.csv, test/cat/0.webp, train/Thumbs.db, train/__MACOSX, train/loose.png, train/cat/__MACOSX, "
        "train/cat/pipe.png (no regular file), train/dog/desktop.ini, train/dog/notes.txt"
    ]


def test_a_warning_names_ten(pets: Path) -> None:
    for index in range(12):
        (pets / f"train/dog/{index:02}.txt").touch()
    lines: list[str] = []
    folder(pets, warn=lines.append)
    assert len(lines) == 1 and lines[0].startswith("12 entries") and lines[0].endswith("train/dog/09.txt and 2 more")


def test_a_pipe_beside_the_parts_or_classes_is_not_opened(pets: Path) -> None:
    os.mkfifo(pets / "pipe")
    os.mkfifo(pets / "train/pipe.png")
    lines: list[str] = []
    assert len(folder(pets, warn=lines.append).train) == 3
    assert "pipe (no regular file), train/pipe.png (no regular file)" in lines[0]


def test_the_same_files_as_keras_reads(tmp_path: Path) -> None:
    for path in ["b/x/2.png", "b/x/y/1.JPG", "b/0.gif", "a/9.bmp", "a/z/8.jpeg"]:
        _write(tmp_path / path)
    (tmp_path / "a/notes.txt").touch()
    _write(tmp_path / "elsewhere/0.png").parent.rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    (tmp_path / "a/link").symlink_to(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    files = folder_files(tmp_path)
    expected = keras.utils.image_dataset_from_directory(tmp_path, image_size=(4, 4), verbose=False, shuffle=False)
    assert [str(path) for paths in files.train.values() for path in paths] == expected.file_paths
    assert list(files.train) == expected.class_names
    assert files.skipped == ("a/link", "a/notes.txt")


def test_the_first_frame_of_a_gif_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (_RED, _BLUE)]
    for name in "ab":
        (tmp_path / name).mkdir()
        frames[0].save(tmp_path / name / "0.gif", save_all=True, append_images=frames[1:])
    assert (folder(tmp_path).train.images == _RED).all()


def test_images_are_turned_on_request(tmp_path: Path) -> None:
    """Orientation 6: the first stored column is the upright image's top row."""
    stored = Image.new("RGB", (2, 3), _RED)
    for y in range(3):
        stored.putpixel((0, y), _BLUE)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in "ab":
        (tmp_path / name).mkdir()
        stored.save(tmp_path / name / "0.png", exif=exif)
    as_stored, turned = folder(tmp_path).train.images, folder(tmp_path, upright=True).train.images
    assert (
        as_stored.shape == (2, 3, 2, 3) and (as_stored[:, :, 0] == _BLUE).all() and (as_stored[:, :, 1] == _RED).all()
    )
    assert turned.shape == (2, 2, 3, 3) and (turned[:, 0] == _BLUE).all() and (turned[:, 1] == _RED).all()


def test_deep_pixels_are_refused(pets: Path) -> None:
    deep = _write(pets / "train/dog/1.png", 4000, mode="I;16")
    # Pillow calls the mode of a 16-bit file I before its version 11.
    with pytest.raises(DataError, match=f"8 bits a channel at {deep}, received mode I(;16)?;"):
        folder(pets)


def test_an_empty_class_is_named(pets: Path) -> None:
    (pets / "train/bird").mkdir()
    with pytest.raises(DataError, match="images of class 'bird' in .*, received an empty folder"):
        folder(pets)
    (pets / "train/bird/0.webp").touch()
    with pytest.raises(
        DataError, match="class 'bird' in .*, received 1 other files such as 0.webp; convert them to jpg"
    ):
        folder(pets)


def test_a_class_missing_from_test_is_named(pets: Path) -> None:
    _write(pets / "train/bird/0.png")
    with pytest.raises(DataError, match="received a difference in bird"):
        folder(pets)


def test_other_parts_are_not_skipped(pets: Path) -> None:
    _write(pets / "more/cat/0.png")
    with pytest.raises(DataError, match="expected only train, validation and test in .*, received more; move"):
        folder(pets)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "val", "test"), ("Training", "VALIDATION", "Testing"), ("TRAIN", "valid", "Test")],
)
def test_parts_by_any_of_their_names(pets: Path, train: str, validation: str, test: str) -> None:
    (pets / "train").rename(pets / "moved")
    (pets / "moved").rename(pets / train)
    (pets / "test").rename(pets / "moved")
    (pets / "moved").rename(pets / test)
    _write(pets / validation / "cat/0.png", (9, 9, 9))
    _write(pets / validation / "dog/0.png", (8, 8, 8))
    data = folder(pets)
    assert data.validation is not None and data.test is not None
    assert data.validation.images[:, 0, 0].tolist() == [[9, 9, 9], [8, 8, 8]]
    assert data.validation.targets.tolist() == data.test.targets.tolist() == [0, 1]
    assert len(data.train) == 3 and data.test.images[:, 3, 3].tolist() == [[255, 0, 0], [0, 0, 255]]


def test_a_part_in_two_folders_is_refused(pets: Path) -> None:
    _write(pets / "Training/cat/0.png")
    with pytest.raises(DataError, match="one folder for each part in .*, received Training and train; move"):
        folder(pets)


def test_hidden_files_are_not_named(pets: Path) -> None:
    (pets / "train/.hidden").write_bytes(b"")
    (pets / "train/cat/.hidden").write_bytes(b"")
    lines: list[str] = []
    assert len(folder(pets, warn=lines.append).train) == 3 and not lines


def test_a_broken_link_is_an_unreadable_image(pets: Path) -> None:
    (pets / "train/dog/1.png").symlink_to(pets / "nowhere")
    with pytest.raises(DataError, match="expected a readable image at .*dog/1.png, received FileNotFoundError"):
        folder(pets)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two or more folders of images.*received 0 folders and 0 files"):
        folder(tmp_path)


def test_an_image_size_that_fills_memory_is_refused(pets: Path) -> None:
    with pytest.raises(DataError, match="at most 89,478,485 pixels, received 100000x100000 .*; give a smaller image_s"):
        folder(pets, (100_000, 100_000))


def test_images_that_fill_memory_together_are_refused(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5 images of 3 * 90 * 60 bytes are 81,000 bytes."""
    monkeypatch.setattr(declared_size, "_memory", lambda: 80_999)
    with pytest.raises(
        DataError, match="5 images of at most 79.1 KiB, .*, received 79.1 KiB for 90x60 .*; give a small"
    ):
        folder(pets, (90, 60))
    monkeypatch.setattr(declared_size, "_memory", lambda: 81_000)
    assert folder(pets, (90, 60)).train.images.shape == (3, 90, 60, 3)
