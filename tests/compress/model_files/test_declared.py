"""Model files that declare more than they can hold."""

import zipfile

import h5py
import pytest

from compress.disk import declared_size
from compress.errors import ModelError
from compress.model_files.files import load_model, save_model
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized


def _huge(source):
    """A weight of 4 TB that takes no byte."""
    with h5py.File(source, "a") as file:
        file.create_dataset("huge", (10**6, 10**6), "f4", chunks=(1000, 1000))


@pytest.fixture
def saved(tmp_path):
    return save_model(randomized(models.chain()), tmp_path / "model.keras")


def _with_member(path, name, content):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)


def test_an_archive_that_unpacks_to_far_more_than_itself(saved, monkeypatch):
    load_model(saved)
    monkeypatch.setattr(declared_size, "_ALWAYS", 2**20)
    _with_member(saved, "more.json", bytes(2**24))
    with pytest.raises(
        ModelError, match="cannot be read: expected members of .* of at most .* received 16.* MiB; save"
    ):
        load_model(saved)


def test_weights_of_terabytes_in_an_archive(saved, tmp_path):
    _huge(tmp_path / "huge.h5")
    _with_member(saved, "assets/more.h5", (tmp_path / "huge.h5").read_bytes())
    with pytest.raises(ModelError, match="weights in assets/more.h5 of at most .*, received 3.638 TiB; save the model"):
        load_model(saved)


def test_weights_of_terabytes_in_an_h5_file(tmp_path):
    path = save_model(randomized(models.chain()), tmp_path / "model.h5")
    load_model(path)
    _huge(path)
    with pytest.raises(ModelError, match="expected weights of at most .*, received 3.638 TiB; save the model again"):
        load_model(path)


@pytest.mark.parametrize(
    ("declared", "on_disk", "message"),
    [
        (2**30, 1, None),
        (2**30 + 1, 1, "things of at most 1 GiB, 100 times the file of 1 bytes or 1 GiB, received 1 GiB"),
        (200 * 2**30, 2 * 2**30, None),
        (200 * 2**30, None, None),
        (200 * 2**30 + 1, 2 * 2**30, "at most 200 GiB, 100 times the file of 2 GiB"),
        (2**40 + 1, 2**40, "things of at most 1 TiB, this machine's memory, received 1 TiB"),
    ],
)
def test_bounds(monkeypatch, declared, on_disk, message):
    monkeypatch.setattr(declared_size, "_memory", lambda: 2**40)
    if message is None:
        declared_size.check_declared(declared, on_disk, "things", ModelError)
    else:
        with pytest.raises(ModelError, match=message):
            declared_size.check_declared(declared, on_disk, "things", ModelError)
