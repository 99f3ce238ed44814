"""Arrays in an `.npz` file: what is read, and what is refused."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from compress.disk import declared_size
from compress.errors import DataError
from tests.zoo.data.arrays import image_bytes, two_classes
from zoo.data.load import CIFAR_NORMALIZATION, load_dataset
from zoo.tasks.kinds.classification import Classification


def _saved(tmp_path: Path, **changes: object) -> str:
    arrays = {key: value for key, value in two_classes(**changes).items() if value is not None}
    np.savez(tmp_path / "pets.npz", **arrays)
    return str(tmp_path / "pets.npz")


def test_npz_in_keras_s_convention(tmp_path: Path) -> None:
    source = _saved(tmp_path)
    dataset = load_dataset(source, validation=0.3)
    stored = two_classes()
    assert (dataset.name, dataset.task, dataset.normalization) == ("pets", Classification(2), CIFAR_NORMALIZATION)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [14, 6, 4]
    np.testing.assert_array_equal(dataset.test.images, stored["x_test"])
    assert image_bytes(dataset.train, dataset.validation) == sorted(image.tobytes() for image in stored["x_train"])


@pytest.mark.parametrize("whole", [True, False])
def test_validation_images_of_the_file_s_own(tmp_path: Path, whole: bool) -> None:
    own = np.random.default_rng(5).integers(0, 256, (6, 4, 4, 3), np.uint8)
    more = {"x_val": own, "y_val": np.arange(6) % 2 if whole else None, "names": np.arange(3)}
    lines: list[str] = []
    dataset = load_dataset(_saved(tmp_path, **more), validation=0.3, warn=lines.append)
    assert len(dataset.train) == (20 if whole else 14)
    assert np.array_equal(dataset.validation.images, own) is whole
    assert len(lines) == 1 and lines[0].endswith(f"targets are: {'names' if whole else 'names, x_val'}")


def test_grey_float_images_get_a_channel_and_their_own_statistics(tmp_path: Path) -> None:
    grey = np.random.default_rng(1).random((20, 4, 4))
    dataset = load_dataset(_saved(tmp_path, x_train=grey, x_test=grey[:4], y_train=(np.arange(20) % 2)[:, None]))
    assert dataset.image_shape == (4, 4, 1) and dataset.train.images.dtype == np.float32
    assert dataset.normalization.scale == 1.0
    np.testing.assert_allclose(dataset.normalization.mean, [dataset.train.images.mean()], rtol=1e-5)


def test_small_integers_become_bytes(tmp_path: Path) -> None:
    wide = two_classes()["x_train"].astype(np.int32)
    dataset = load_dataset(_saved(tmp_path, x_train=wide))
    assert dataset.train.images.dtype == np.uint8
    assert image_bytes(dataset.train, dataset.validation) == sorted(image.astype(np.uint8).tobytes() for image in wide)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "x_train, y_train, x_test, y_test in .*, received x_test, x_train, y_train"),
        ({"y_train": np.eye(20)}, r"integer labels.*received float64 of shape \(20, 20\): one-hot rows; .*argmax"),
        ({"y_train": np.zeros(20)}, r"received float64 of shape \(20,\): whole numbers as floats; .*astype"),
        ({"y_test": np.array([0, 1, 1, 4_294_967_295])}, "labels below 20, .* received 4294967295; number the classes"),
        ({"y_train": np.zeros(7, np.int64)}, r"x_train, y_train: expected numbers as targets of shape \(20,\)"),
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


class _Payload:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.marker,)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    source = _saved(tmp_path, y_train=np.array([_Payload(tmp_path / "executed")] * 20, object))
    with pytest.raises(DataError, match="Object arrays cannot be loaded"):
        load_dataset(source)
    assert not (tmp_path / "executed").exists()
