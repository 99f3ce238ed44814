"""Files of Keras 2 that are changed in one place, and how they are refused."""

import json
import shutil
from pathlib import Path

import h5py
import pytest

from compress.errors import ModelError
from compress.model_files.files import load_model

DATA = Path(__file__).parents[2] / "data" / "keras2"
ERAS = ("tf2.3", "tf2.8")


def edited(tmp_path, change, file="tf2.8-mobile.h5"):
    """A copy of a file with its configuration, or the file itself, changed in place."""
    path = shutil.copy(DATA / file, tmp_path / "model.h5")
    with h5py.File(path, "r+") as stored:
        document = json.loads(stored.attrs["model_config"])
        entries = {entry["config"]["name"]: entry for entry in document["config"]["layers"]}
        replaced = change(stored, document, entries)
        stored.attrs["model_config"] = json.dumps(document if replaced is None else replaced)
    return Path(path)


def refusal(path):
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"model file '{path}' cannot be read: ")
    assert "\n" not in message and len(message) < 600
    return message.split("cannot be read: ", 1)[1]
