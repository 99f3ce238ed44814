"""Every source through load_dataset, and every source that is wrong."""

import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from compress.errors import DataError
from tests.search.fixtures.runs import run_forked
from tests.zoo.data.arrays import image_bytes, two_classes
from zoo.data.load import CIFAR_NORMALIZATION, load_dataset
from zoo.tasks.kinds.classification import Classification


def test_digits_are_divided_without_overlap() -> None:
    dataset = load_dataset("digits", validation=0.3, seed=3)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [879, 378, 540]
    assert image_bytes(dataset.train, dataset.validation, dataset.test) == sorted(
        image.astype(np.uint8).tobytes() for image in load_digits().images
    )
    assert dataset.image_shape == (8, 8, 1) and dataset.task == Classification(10) and dataset.name == "digits"
    for part in (dataset.train, dataset.validation, dataset.test):
        shares = np.bincount(part.targets) / len(part)
        assert 0.09 < shares.min() and shares.max() < 0.11


def test_digits_are_normalised_by_the_training_split_alone() -> None:
    dataset = load_dataset("digits")
    pixels = dataset.train.images.astype(np.float64) / 16
    assert dataset.normalization.scale == 16.0
    np.testing.assert_allclose(dataset.normalization.mean, [pixels.mean()], rtol=1e-12)
    np.testing.assert_allclose(dataset.normalization.std, [pixels.std()], rtol=1e-12)


def test_a_folder_without_test_gets_a_test_split(tmp_path: Path) -> None:
    for index in range(40):
        path = tmp_path / ("cat" if index < 20 else "dog") / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (index, 0, 0)).save(path)
    dataset = load_dataset(str(tmp_path), validation=0.25)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [24, 8, 8]
    reds = [part.images[:, 0, 0, 0] for part in (dataset.train, dataset.validation, dataset.test)]
    assert sorted(np.concatenate(reds).tolist()) == list(range(40))
    for part, red in zip((dataset.train, dataset.validation, dataset.test), reds, strict=True):
        np.testing.assert_array_equal(part.targets, red >= 20)


def _photographs(root: Path, *parts: str, count: int = 10) -> None:
    """Noise in two classes for each part, no image like another."""
    noise = np.random.default_rng(0).integers(0, 256, (len(parts), 2, count, 4, 4, 3), np.uint8)
    for index in np.ndindex(noise.shape[:3]):
        path = root / parts[index[0]] / ("cat", "dog")[index[1]] / f"{index[2]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise[index]).save(path)


def test_a_validation_split_of_the_user_s_own_is_taken(tmp_path: Path) -> None:
    _photographs(tmp_path, "train", "val", "test")
    dataset = load_dataset(str(tmp_path), validation=0.5)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [20, 20, 20]
    for part, folder in ((dataset.train, "train"), (dataset.validation, "val"), (dataset.test, "test")):
        stored = [np.asarray(Image.open(path)).tobytes() for path in tmp_path.glob(f"{folder}/*/*")]
        assert image_bytes(part) == sorted(stored)


def test_a_validation_split_without_a_test_split(tmp_path: Path) -> None:
    _photographs(tmp_path, "Training", "Validation")
    dataset = load_dataset(str(tmp_path))
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [16, 20, 4]


def test_a_validation_split_that_is_trained_on_is_refused(tmp_path: Path) -> None:
    _photographs(tmp_path, "train")
    shutil.copytree(tmp_path / "train", tmp_path / "val")
    with pytest.raises(DataError, match="not trained on in data set .*, received 1[0-9] of 20"):
        load_dataset(str(tmp_path))


def test_what_is_skipped_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _photographs(tmp_path, "")
    (tmp_path / "labels.csv").touch()
    load_dataset(str(tmp_path))
    assert re.fullmatch(r"warning: 1 entry of .* not read, because .*: labels.csv\n", capsys.readouterr().err)


def test_cifar_comes_through_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = two_classes()
    pairs = (stored["x_train"], stored["y_train"][:, None]), (stored["x_test"], stored["y_test"][:, None])
    monkeypatch.setattr(keras.datasets.cifar100, "load_data", lambda: pairs)
    dataset = load_dataset("cifar100", validation=0.5)
    assert dataset.name == "cifar100" and dataset.normalization == CIFAR_NORMALIZATION
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [10, 10, 4]
    assert dataset.test.targets.tolist() == [0, 1, 0, 1]


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise Exception("URL fetch failure on https://example.org:\n no route")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fail)
    with pytest.raises(DataError, match="download cifar10 .* Exception: URL fetch failure on .*: no route; connect"):
        load_dataset("cifar10")


def test_an_unknown_source_is_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match="received 'cifar-10'; did you mean cifar10?"):
        load_dataset("cifar-10")


@pytest.mark.parametrize(("size", "message"), [((16, 16), "image folder only"), ((0, 4), "positive image_size")])
def test_image_size_is_for_folders(size: tuple[int, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset("digits", image_size=size)


def test_exif_orientation_is_for_folders() -> None:
    with pytest.raises(DataError, match="expected an exif_orientation for an image folder only, received True for 'di"):
        load_dataset("digits", exif_orientation=True)


def test_a_source_is_added_in_one_file(tmp_path: Path) -> None:
    """Loading, the message for an unknown source and the reference know it, and no other file is touched."""
    (tmp_path / "stripes.py").write_text(
        "import numpy as np\n"
        "from zoo.data.source import SourceData, as_split, data_source\n"
        "@data_source('stripes of some width', lambda source: source.startswith('stripes-'))\n"
        "def stripes(wanted):\n"
        "    images = np.random.default_rng(wanted.seed).random((40, 4, 4))\n"
        "    split = as_split(images, np.arange(40) % 2, 'stripes', wanted.task)\n"
        "    return SourceData(wanted.source, split, None, ('a', 'b'))\n",
        encoding="utf-8",
    )
    code = (
        "import zoo.data.sources as room\n"
        f"room.__path__.append({str(tmp_path)!r})\n"
        "from zoo.data.load import load_dataset\n"
        "from compress.errors import DataError\n"
        "from scripts.docs.config_reference import page\n"
        "print(load_dataset('stripes-4').name, 'stripes of some width' in page())\n"
        "try:\n    load_dataset('spots')\nexcept DataError as error:\n    print(error)\n"
    )
    made = run_forked(code)
    assert made.returncode == 0, made.stderr
    first, second = made.stdout.splitlines()
    assert first == "stripes-4 True" and "stripes of some width" in second
