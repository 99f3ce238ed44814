"""Reads and writes Keras model files."""

import os
from pathlib import Path
from typing import Any

import keras

from compress.errors import ModelError
from compress.excerpt import one_line
from compress.walk import as_functional


def load_model(path: Path) -> Any:
    """A functional Keras model from a ``.keras`` or ``.h5`` file; no code in the file is executed.

    Raises:
        ModelError: the file is missing, unreadable, or holds a subclassed model.
    """
    if not path.is_file():
        raise ModelError(f"expected a .keras or .h5 file, received '{path}', which is not a file; check the path")
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras, h5py and zipfile raise a dozen unrelated types for a file they cannot read.
        raise ModelError(f"model file '{path}' cannot be read: {one_line(error)}") from error
    return as_functional(model)


def save_model(model: Any, path: Path) -> Path:
    """Write a model beside its destination, then move it there, so that a killed process leaves no half file.

    Raises:
        ModelError: the file cannot be written.
    """
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(partial)
        os.replace(partial, path)
    except (OSError, ValueError) as error:  # ValueError: Keras knows no such file format.
        if partial.is_file():
            partial.unlink()
        raise ModelError(f"model file '{path}' cannot be written: {one_line(error)}") from error
    return path
