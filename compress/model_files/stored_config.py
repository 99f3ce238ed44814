"""What a model file says of its layers, read without Keras and TensorFlow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import h5py

_LARGEST = 2**26
"""Bytes of a configuration; that of a network of a thousand layers has a thirtieth."""


def stored_config(path: Path) -> Mapping[str, Any] | None:
    """The model of a ``.keras`` or ``.h5`` file as Keras serializes it, with ``class_name`` and ``config``.

    None where there is none to be read: whoever loads the model says what is wrong with the file.
    """
    try:
        text = _text(path)
        config = None if text is None else json.loads(text)
    except (OSError, KeyError, ValueError, RuntimeError, BadZipFile):
        return None
    return config if isinstance(config, dict) and isinstance(config.get("config"), dict) else None


def _text(path: Path) -> str | bytes | None:
    if is_zipfile(path):
        with ZipFile(path) as file:
            return file.read("config.json") if file.getinfo("config.json").file_size <= _LARGEST else None
    if path.is_file() and h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            text: str | bytes = file.attrs["model_config"]
            return text
    return None
