"""Image folders that cannot be used: one line that says why, and nothing is written."""

import re
import shutil

import pytest
from PIL import Image

from tests.search.fixtures.runs import refused, written
from zoo.data.load import load_dataset


@pytest.fixture(scope="module")
def digit_files(tmp_path_factory):
    """The digits as files, a folder a class."""
    root = tmp_path_factory.mktemp("digits")
    digits = load_dataset("digits", validation=0.3)
    for index, (image, label) in enumerate(zip(digits.train.images, digits.train.targets.tolist(), strict=True)):
        path = root / str(label) / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(15 * image[..., 0]).save(path)
    return root


def _emptied(root):
    for entry in root.iterdir():
        shutil.rmtree(entry)


def _truncated(root):
    for path in [next((root / label).iterdir()) for label in "37"]:
        path.write_bytes(path.read_bytes()[:60])


def _renamed(root):
    for path in list((root / "3").iterdir()):
        path.rename(path.with_suffix(".txt"))


def _clear(folder):
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "changes", "expected"),
    [
        (_emptied, {}, "received 0 folders and 0 files; put the images of each class into a folder of its name"),
        (lambda root: _clear(root / "3"), {}, "expected images of class '3' in .*3, received an empty folder"),
        (lambda root: shutil.rmtree(root / "3"), {}, r"model's output \(10,\), received 9 from data set"),
        (_truncated, {}, "2 of .* image files cannot be used: expected a readable image at .*/3/.* | .*/7/"),
        (lambda root: (root / "3/zero.png").touch(), {}, "expected a readable image at .*/3/zero.png, received"),
        (
            _renamed,
            {},
            "class '3' in .*, received .* other files such as .*txt; convert them to jpg, jpeg, png, bmp or gif",
        ),
        (lambda root: None, {"image_size": [9, 8]}, r"model's input shape \(8, 8, 1\), received \(9, 8, 1\)"),
        (lambda root: None, {"scale": 1.0, "mean": [0.3], "std": [0.2]}, "data.scale 1, .*; correct these keys"),
    ],
    ids=["empty", "empty class", "missing class", "truncated", "zero bytes", "no image", "size", "range"],
)
def test_image_folders_that_cannot_be_used(tuckprune, home, digit_files, spoil, changes, expected):
    root = shutil.copytree(digit_files, home / "images")
    spoil(root)
    config = written(home, data={"source": str(root), **changes})
    assert re.search(expected, refused(tuckprune, home, "search", config))
