"""Images in files that workers share: the figures of those in memory, a bound, and files that are missing somewhere."""

import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from compress.errors import DataError
from compress.parameters import CompressionParameters
from compress.pruning.settings import DEFAULT_PRUNING
from objectives.score.proxy import ProxySettings
from search.workers.shared_images import check_files, training_images_read, with_shared_images
from search.workers.worker import Task, TrialWorker, model_bytes
from tests.search.fixtures.nets import model
from zoo.data.files import image_files
from zoo.data.files.image_files import ImageFiles
from zoo.data.load import load_dataset

PROXY = ProxySettings(recalibration_images=8, steps=1, batch_size=8, reconstruction_images=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten classes of ten grey images of 8 by 8 pixels."""
    rng = np.random.default_rng(0)
    for label in range(10):
        (tmp_path / str(label)).mkdir()
        for number in range(10):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / str(label) / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("scored", [None, 7])
def test_a_trial_reads_nothing_but_what_is_shared(
    folder: Path, monkeypatch: pytest.MonkeyPatch, scored: int | None
) -> None:
    proxy = replace(PROXY, validation_images=scored)
    for threads in ("intra", "inter"):
        monkeypatch.setattr(tf.config.threading, f"set_{threads}_op_parallelism_threads", lambda count: None)
    eager, lazy = (load_dataset(str(folder), validation=0.2, in_memory=memory) for memory in (1e9, 0))
    task = Task(model_bytes(model("tiny")), lazy, proxy, ("prune",), DEFAULT_PRUNING, 1, rungs=(2,))
    buffers: list[pickle.PickleBuffer] = []
    sent = pickle.dumps(task.shared(), protocol=5, buffer_callback=buffers.append)
    # A worker looks for the first and the last files, and opens no other one.
    for files in (lazy.train.images.files, lazy.validation.images.files):
        for path in files.paths[1:-1]:
            path.unlink()
    shared = pickle.loads(sent, buffers=buffers)
    assert len(shared.dataset.validation.images.files.shared.pixels) == (scored or len(lazy.validation))
    parts = [split.images.files.shared.pixels for split in (shared.dataset.train, shared.dataset.validation)]
    assert sum(part.nbytes for part in parts) <= sum(len(buffer.raw()) for buffer in buffers)
    in_memory = Task(task.model, eager, proxy, ("prune",), DEFAULT_PRUNING, 1)
    parameters = CompressionParameters({"add": 0.5}, {})
    received, expected = (TrialWorker(one).judge(parameters, 2) for one in (shared, in_memory))
    assert received.error is None and received.score == expected.score


def test_what_is_read_comes_in_the_order_of_its_use_up_to_a_bound(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_dataset(str(folder), validation=0.2, in_memory=0)
    monkeypatch.setattr(image_files, "KEPT_BYTES", 10 * 64)
    shared = with_shared_images(data, PROXY, 3)
    read = training_images_read(PROXY, data.train, 3)
    assert len(read) == len(set(read.tolist())) > 24
    files: ImageFiles = shared.train.images.files
    assert np.flatnonzero(files.shared.rows >= 0).tolist() == sorted(read[:10].tolist())
    np.testing.assert_array_equal(shared.train.images[read], data.train.images[read])
    np.testing.assert_array_equal(shared.train.take(read[5:15]).images[:], data.train.images[read[5:15]])
    assert not files._kept and len(shared.validation.images.files.shared.pixels) == 10


@pytest.mark.parametrize("at_address", [False, True])
def test_a_node_without_the_files_is_named(folder: Path, at_address: bool) -> None:
    data = load_dataset(folder.as_uri() if at_address else str(folder), validation=0.2, in_memory=0)
    check_files(data)
    path = data.validation.images.files.paths[-1]
    path.unlink()
    with pytest.raises(DataError, match=rf"every node can read .* FileNotFoundError: .*{path.name}.* on node "):
        check_files(data)
    in_memory = load_dataset("digits")
    assert with_shared_images(in_memory, PROXY, 1) is in_memory


def test_a_node_without_the_package_for_addresses_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = pickle.dumps(load_dataset(folder.as_uri(), validation=0.2, in_memory=0))
    for module in [name for name in sys.modules if name.split(".")[0] == "upath"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=r"installed on node .*, received Mod.*; pip install 'tuckprune\[remote\]'"):
        pickle.loads(sent)
