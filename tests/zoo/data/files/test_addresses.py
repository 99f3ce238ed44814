"""Data at addresses give what the same files on this machine give; what cannot be read is one line."""

import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image

from compress.errors import DataError
from tests.zoo.data.arrays import two_classes
from tests.zoo.data.files.layouts import LAYOUTS, RNG, written
from zoo.data.files import image_files
from zoo.data.files.file_array import FileArray
from zoo.data.files.listing import listed
from zoo.data.files.paths import data_name, data_path
from zoo.data.load import load_dataset
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.regression import Regression
from zoo.tasks.task import Task


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in memory, empty."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def table(folder: Path) -> Path:
    """Twenty images in two folders, with two numbers each."""
    lines = ["file,width,age"]
    for number in range(20):
        path = folder / f"{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (5, 7, 3), np.uint8)).save(path)
        lines.append(f"./{path.relative_to(folder)},{number},{number / 2}")
    (folder / "labels.csv").write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


def arrays(folder: Path) -> Path:
    """An .npz file."""
    folder.mkdir()
    np.savez(folder / "images.npz", **two_classes())  # type: ignore[arg-type]
    return folder / "images.npz"


FOLDERS: dict[str, tuple[Task, Callable[[Path], Path]]] = {
    "classes": (Classification(), partial(written, mode="L")),
    "parts": (Classification(), partial(written, parts=("train", "val", "test"))),
    "table": (Regression(), table),
    "npz": (Classification(), arrays),
    **LAYOUTS,
}


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("in_memory", [0, 1e9])
def test_splits_are_those_of_the_same_files_here(tmp_path: Path, memory: Any, name: str, in_memory: float) -> None:
    task, write = FOLDERS[name]
    local = write(tmp_path / "photos-1")
    for hidden in (tmp_path / "photos-1").rglob("0.png"):
        hidden.with_name(".0.png").write_bytes(b"no image")
    memory.put(str(tmp_path / "photos-1"), "/bucket/photos-1", recursive=True)
    address = f"memory://bucket/{local.relative_to(tmp_path)}"
    here, there = (load_dataset(source, task=task, in_memory=in_memory) for source in (str(local), address))
    assert (there.name, there.task, there.normalization) == (here.name, here.task, here.normalization)
    for part, expected in here.parts.items():
        received = pickle.loads(pickle.dumps(there.parts[part]))
        assert isinstance(received.images, FileArray) == (in_memory == 0 and name != "npz")
        np.testing.assert_array_equal(received.images[:], expected.images[:])
        np.testing.assert_array_equal(received.targets[:], expected.targets[:])
        if isinstance(received.images, FileArray):
            assert received.images.files.digest == expected.images.files.digest


def test_headers_are_read_without_the_rest(tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.put(str(written(tmp_path / "photos")), "/photos", recursive=True)
    sizes: list[int | None] = []
    reading = type(memory).cat_file
    monkeypatch.setattr(
        type(memory), "cat_file", lambda self, path, end: (sizes.append(end), reading(self, path, end=end))[1]
    )
    whole = load_dataset("memory://photos", in_memory=0).train.images[:]
    # The first file says the size, normalization and the comparison of splits decode some.
    assert sizes.count(image_files._HEADER_BYTES) == 20
    # A header that is longer than what is read at first.
    monkeypatch.setattr(image_files, "_HEADER_BYTES", 20)
    np.testing.assert_array_equal(load_dataset("memory://photos", in_memory=0).train.images[:], whole)


def test_paths_of_this_machine_need_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("upath", "fsspec"):
        monkeypatch.setitem(sys.modules, package, None)
    data = load_dataset(str(written(tmp_path)), in_memory=0)
    assert all(isinstance(path, Path) for path in data.train.images.files.paths)
    with pytest.raises(DataError, match=r"to read 'gs://bucket/photos', .* pip install 'tuckprune\[remote\]'$"):
        load_dataset("gs://bucket/photos", image_size=(8, 8))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("memory://nothing", "expected a folder of images or an .npz file at .*, received FileNotFoundError: /nothing"),
        ("memory://photos/train/a/1.png", "an .npz file at 'memory://photos/train/a/1.png', received a file"),
        ("memory://nothing.npz", "expected a readable .npz file of arrays at memory://nothing.npz, received FileNotF"),
        ("nosuch://bucket/photos", "that fsspec opens, .* 'nosuch://bucket/photos': ValueError: .*nosuch"),
        ("gs://bucket/photos", "that fsspec opens, .* 'gs://bucket/photos': ImportError: .*gcsfs"),
        ("://photos", "at '://photos', received a path without a scheme"),
    ],
)
def test_addresses_that_cannot_be_read_are_one_line(
    tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    memory.put(str(written(tmp_path / "photos")), "/photos", recursive=True)
    with pytest.raises(DataError, match=message) as error:
        load_dataset(source)
    assert "\n" not in str(error.value)


def test_passwords_are_refused_and_not_shown() -> None:
    for source in ("ftp://me:secret@host/photos", "zip://photos::ftp://:secret@host/photos.zip"):
        with pytest.raises(DataError, match="without a password as data source, .* FSSPEC_FTP_PASSWORD") as error:
            load_dataset(source)
        assert "secret" not in str(error.value)


def test_errors_of_file_systems_are_one_line(tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They raise what they like, as clients of object stores do."""

    def failing(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("403\n Forbidden")

    memory.put(str(written(tmp_path / "photos")), "/photos", recursive=True)
    np.savez(tmp_path / "images.npz", **two_classes())  # type: ignore[arg-type]
    memory.put(str(tmp_path / "images.npz"), "/images.npz")
    for method, source, message in (
        ("isdir", "memory://photos", "expected an address that can be reached, received RuntimeError: 403 Forbidden"),
        ("ls", "memory://photos", "expected a readable folder at memory://photos, received RuntimeError: 403 Forb"),
        ("cat_file", "memory://photos", "image at memory://photos/.*0.png, received OSError: RuntimeError: 403 Forb"),
        ("get_file", "memory://images.npz", "arrays at memory://images.npz, received OSError: RuntimeError: 403 For"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(type(memory), method, failing)
            with pytest.raises(DataError, match=message):
                load_dataset(source)


def test_what_object_stores_and_web_servers_list_is_no_entry(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The empty object of a folder, and the links that sort a page."""
    names = {"/photos/": "file", "/photos/b/": "directory", "/photos/a.png": "file", "/photos/?C=N;O=D": "file"}
    rows = [{"name": name, "type": kind} for name, kind in names.items()]
    monkeypatch.setattr(type(memory), "ls", lambda self, path, detail: rows)
    listing = listed(data_path("memory://photos/"))
    assert [entry.name for entry in listing.entries] == ["a.png", "b"]
    assert [entry.name for entry in listing.folders] == ["b"]


def test_names_of_addresses(memory: Any) -> None:
    names = [
        data_name(data_path(source)) for source in ("memory://a/photos/", "memory://", "simplecache::memory://a/b")
    ]
    assert names == ["photos", "memory://", "b"]
