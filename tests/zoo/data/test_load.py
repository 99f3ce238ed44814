"""Every source through load_dataset, and every source that is wrong."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from compress.disk import declared_size
from compress.errors import DataError
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.data.load import CIFAR_NORMALIZATION, load_dataset


def _keys(*splits: Split) -> list[bytes]:
    return sorted(image.tobytes() for split in splits for image in split.images)


def test_digits_are_divided_without_overlap() -> None:
    dataset = load_dataset("digits", validation=0.3, seed=3)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [879, 378, 540]
    assert _keys(dataset.train, dataset.validation, dataset.test) == sorted(
        image.astype(np.uint8).tobytes() for image in load_digits().images
    )
    assert dataset.image_shape == (8, 8, 1) and dataset.classes == 10 and dataset.name == "digits"
    for part in (dataset.train, dataset.validation, dataset.test):
        shares = np.bincount(part.labels) / len(part)
        assert 0.09 < shares.min() and shares.max() < 0.11


def test_digits_are_normalised_by_the_training_split_alone() -> None:
    dataset = load_dataset("digits")
    pixels = dataset.train.images.astype(np.float64) / 16
    assert dataset.normalization.scale == 16.0
    np.testing.assert_allclose(dataset.normalization.mean, [pixels.mean()], rtol=1e-12)
    np.testing.assert_allclose(dataset.normalization.std, [pixels.std()], rtol=1e-12)


def _arrays(count: int = 20, **changes: object) -> dict[str, object]:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (count, 4, 4, 3), np.uint8), np.arange(count) % 2
    return {"x_train": images, "y_train": labels, "x_test": images[:4], "y_test": labels[:4], **changes}


def _saved(tmp_path: Path, **changes: object) -> str:
    arrays = {key: value for key, value in _arrays(**changes).items() if value is not None}
    np.savez(tmp_path / "pets.npz", **arrays)
    return str(tmp_path / "pets.npz")


def test_npz_in_keras_s_convention(tmp_path: Path) -> None:
    source = _saved(tmp_path)
    dataset = load_dataset(source, validation=0.3)
    arrays = _arrays()
    assert (dataset.name, dataset.classes, dataset.normalization) == ("pets", 2, CIFAR_NORMALIZATION)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [14, 6, 4]
    np.testing.assert_array_equal(dataset.test.images, arrays["x_test"])
    assert _keys(dataset.train, dataset.validation) == sorted(image.tobytes() for image in arrays["x_train"])


def test_grey_float_images_get_a_channel_and_their_own_statistics(tmp_path: Path) -> None:
    grey = np.random.default_rng(1).random((20, 4, 4))
    dataset = load_dataset(_saved(tmp_path, x_train=grey, x_test=grey[:4], y_train=(np.arange(20) % 2)[:, None]))
    assert dataset.image_shape == (4, 4, 1) and dataset.train.images.dtype == np.float32
    assert dataset.normalization.scale == 1.0
    np.testing.assert_allclose(dataset.normalization.mean, [dataset.train.images.mean()], rtol=1e-5)


def test_small_integers_become_bytes(tmp_path: Path) -> None:
    wide = _arrays()["x_train"].astype(np.int32)
    dataset = load_dataset(_saved(tmp_path, x_train=wide))
    assert dataset.train.images.dtype == np.uint8
    assert _keys(dataset.train, dataset.validation) == sorted(image.astype(np.uint8).tobytes() for image in wide)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "x_train, y_train, x_test, y_test in .*, received x_test, x_train, y_train"),
        ({"y_train": np.eye(20)}, r"integer labels.*received float64 of shape \(20, 20\): one-hot rows; .*argmax"),
        ({"y_train": np.zeros(20)}, r"received float64 of shape \(20,\): whole numbers as floats; .*astype"),
        ({"y_test": np.array([0, 1, 1, 4_294_967_295])}, "labels below 20, .* received 4294967295; number the classes"),
        ({"y_train": np.zeros(7, np.int64)}, r"x_train, y_train: expected int64 labels of shape \(20,\)"),
        ({"x_train": np.full((20, 4, 4, 3), 300)}, "integer pixels from 0 to 255, received 300 to 300"),
        ({"x_train": np.full((20, 4, 4, 3), "a")}, "uint8 or float32 images"),
        ({"x_train": np.zeros((20, 5, 4, 3), np.uint8)}, r"test images of shape \(5, 4, 3\)"),
        ({"y_train": np.full(20, -1)}, "labels from 0"),
        ({"x_train": np.array([{}] * 20, object)}, "readable .npz file of arrays"),
        ({"y_test": np.zeros(4, np.int64)}, "all 2 classes in the test split of data set 'pets', received none of cl"),
        (
            {"y_train": np.arange(20) % 2 * 2, "y_test": np.arange(4) % 3},
            "the training split .* of class '1'; add some",
        ),
        ({"y_train": np.arange(20) % 2 + 1, "y_test": np.arange(4) % 2 + 1}, "of class '0'; .* from 0 without gaps"),
        ({"x_train": np.full((20, 4, 4, 1), 7, np.uint8), "x_test": np.zeros((4, 4, 4, 1), np.uint8)}, "never changes"),
        ({"x_train": np.full((20, 4, 4, 3), 7, np.uint8)}, "near 0 and 1 after normalization .* deviation"),
    ],
)
def test_malformed_npz_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    source = _saved(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as error:
        load_dataset(source)
    assert "\n" not in str(error.value)


def _bare_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def _flipped_byte(path: Path) -> None:
    """A whole archive but for one byte of its compressed pixels."""
    np.savez_compressed(path, x_train=np.random.default_rng(0).integers(0, 9, 5000))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: None,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\3\4 torn"),
        _bare_array,
        _flipped_byte,
    ],
    ids=["missing", "empty", "torn", "npy", "flipped"],
)
def test_an_unreadable_npz_is_refused(tmp_path: Path, write: object) -> None:
    path = tmp_path / "broken.npz"
    write(path)
    with pytest.raises(DataError, match=f"readable .npz file of arrays at {path}"):
        load_dataset(str(path))


def _archive(path: Path, header: dict[str, object], body: bytes = b"", version: int = 1) -> None:
    """An .npz whose x_train says this of itself and holds these bytes."""
    text = repr(header).encode("latin1") + b"\n"
    start = b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x_train.npy", start + body)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_header_that_claims_terabytes_is_refused(tmp_path: Path, version: int) -> None:
    path = tmp_path / "claim.npz"
    _archive(path, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 1000, 1000, 3)}, version=version)
    with pytest.raises(DataError, match=f"as x_train.npy in {path} has, .* declares 24,000,000,000,000; save the arr"):
        load_dataset(str(path))


def test_an_archive_that_unpacks_to_far_more_than_itself_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte of zeros takes a kilobyte."""
    path, body = tmp_path / "bomb.npz", bytes(2**20)
    _archive(path, {"descr": "|u1", "fortran_order": False, "shape": (2**20,)}, body)
    monkeypatch.setattr(declared_size, "_ALWAYS", 2**20)
    with pytest.raises(
        DataError, match=f"arrays in {path} of at most 1 MiB, 100 times the file of .* KiB or 1 GiB, re"
    ):
        load_dataset(str(path))
    monkeypatch.setattr(declared_size, "_memory", lambda: 2**19)
    with pytest.raises(
        DataError, match="of at most 512 KiB, this machine's memory, received 1 MiB; write fewer images"
    ):
        load_dataset(str(path))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(DataError, match="a regular .npz file at .*pipe.npz, received a folder, pipe or device"):
        load_dataset(str(tmp_path / "pipe.npz"))


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
        np.testing.assert_array_equal(part.labels, red >= 20)


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
        assert _keys(part) == sorted(stored)


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
    arrays = _arrays()
    pairs = (arrays["x_train"], arrays["y_train"][:, None]), (arrays["x_test"], arrays["y_test"][:, None])
    monkeypatch.setattr(keras.datasets.cifar100, "load_data", lambda: pairs)
    dataset = load_dataset("cifar100", validation=0.5)
    assert dataset.name == "cifar100" and dataset.normalization == CIFAR_NORMALIZATION
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [10, 10, 4]
    assert dataset.test.labels.tolist() == [0, 1, 0, 1]


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise Exception("URL fetch failure on https://example.org:\n no route")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fail)
    with pytest.raises(DataError, match="download cifar10 .* Exception: URL fetch failure on .*: no route; connect"):
        load_dataset("cifar10")


_USER_MODULE = """
import numpy as np
from zoo.data.dataset import ImageDataset, Normalization, Split

images, labels = np.zeros((20, 4, 4), np.uint8), np.arange(20) % 2
images[labels == 1] = 255
others = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1), np.uint8)

def arrays():
    return (images, labels), (images[:4], labels[:4])

def whole():
    split = Split(images[..., None], labels.astype(np.int64))
    return ImageDataset("mine", split, Split(others, split.labels), split, 2, Normalization(2.0, (0.0,), (1.0,)))

def overlapping():
    split = Split(others, labels.astype(np.int64))
    return ImageDataset("mine", split, split, split, 2, Normalization(255.0, (0.5,), (0.5,)))

def without_a_class():
    one = Split(others, np.zeros(20, np.int64))
    return ImageDataset("mine", Split(images[..., None], labels), one, one, 2, Normalization(255.0, (0.5,), (0.5,)))

def ragged():
    return ([[1, 2], [3]], labels), (images, labels)

def nothing():
    return (None, None), (None, None)

def wrong():
    return images, labels, labels

def fails():
    raise RuntimeError("no\\ndisk")

number = 3
"""


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_pets.py").write_text(_USER_MODULE)
    (tmp_path / "my_broken.py").write_text("import no_such_package_at_all")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("user_module")
def test_a_user_s_function_is_found_in_the_working_directory() -> None:
    dataset = load_dataset("my_pets:arrays", validation=0.2)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [16, 4, 4]
    np.testing.assert_array_equal(dataset.train.images[:, 0, 0, 0] == 255, dataset.train.labels == 1)
    # Half black, half white.
    assert dataset.normalization == Normalization(255.0, (0.5,), (0.5,))


@pytest.mark.usefixtures("user_module")
def test_a_user_s_data_set_keeps_its_own_splits() -> None:
    assert load_dataset("my_pets:whole", validation=0.2).normalization.scale == 2.0
    given = Normalization(255.0, (0.1,), (0.2,))
    dataset = load_dataset("my_pets:whole", normalization=given)
    assert isinstance(dataset, ImageDataset) and dataset.normalization == given and len(dataset.validation) == 20


@pytest.mark.usefixtures("user_module")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("my_absent:arrays", "'my_absent:arrays', received ModuleNotFoundError: No module named 'my_absent'"),
        ("my_broken:arrays", "No module named 'no_such_package_at_all'"),
        ("my_pets:array", "function 'array' in module 'my_pets', received None"),
        ("my_pets:number", "function 'number' in module 'my_pets', received 3"),
        ("my_pets:fails", "data from 'my_pets:fails', received RuntimeError: no disk"),
        ("my_pets:overlapping", "not trained on in data set 'mine', received 20 of 20 that are in the training split"),
        ("my_pets:without_a_class", "all 2 classes in the validation split of data set 'mine', received none of class"),
        ("my_pets:ragged", "expected an array as my_pets:ragged train images, received ValueError"),
        ("my_pets:nothing", "expected integer labels of shape .* my_pets:nothing train, received object"),
        ("my_pets:wrong", r"expected \(\(x_train, y_train\), .* from 'my_pets:wrong', received tuple"),
        (":arrays", "importable module in ':arrays'"),
    ],
)
def test_a_user_s_error_is_one_line(source: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(source)


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
        "    return SourceData(wanted.source, as_split(images, np.arange(40) % 2, 'stripes'), None, ('a', 'b'))\n",
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
    root = Path(__file__).parents[3]
    made = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    first, second = made.stdout.splitlines()
    assert first == "stripes-4 True" and "stripes of some width" in second
