"""Reads and writes Keras model files."""

import os
from pathlib import Path
from typing import Any

import keras

from compress.errors import ModelError
from compress.walk import as_functional


def load_model(path: Path) -> Any:
    """A functional Keras model from a ``.keras`` or ``.h5`` file; no code in the file is executed.

    Raises:
        ModelError: the file is missing, unreadable, or holds a subclassed model.
    """
    if not path.is_file():
        raise ModelError(f"model file '{path}' does not exist; expected a .keras or .h5 file")
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras, h5py and zipfile raise a dozen unrelated types for a file they cannot read.
        raise ModelError(f"model file '{path}' cannot be read: {_first_line(error)}") from error
    return as_functional(model)


def save_model(model: Any, path: Path) -> Path:
    """Write a model beside its destination, then move it there, so that a killed process leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    model.save(partial)
    os.replace(partial, path)
    return path


def _first_line(error: Exception) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{text[:200]} ({type(error).__name__})"
