"""Keras's own files: ``.keras`` and ``.h5``."""

from pathlib import Path
from typing import Any

from search.pipeline.formats.calls import keras_run, quiet
from search.pipeline.formats.format import Array, Format, Run


def _write(model: Any, path: Path, images: Array) -> None:
    with quiet():  # Keras calls .h5 files legacy; who asks for one has an older reader.
        model.save(path)


def _load_keras(path: Path) -> Run:
    import keras

    return keras_run(keras.models.load_model(path, compile=False))


def _load_h5(path: Path) -> Run:
    from compress.model_files.files import load_model

    return keras_run(load_model(path))


KERAS = Format("keras", ".keras", _write, _load_keras, order=10)
H5 = Format("h5", ".h5", _write, _load_h5, order=20)
