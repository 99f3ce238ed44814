"""Reads and writes Keras model files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras

from compress.cloning.layers import check_finite
from compress.cloning.walk import as_functional
from compress.disk.whole_file import replaced
from compress.errors import ModelError, one_line, typed_line
from compress.model_files.custom_objects import register_custom_objects
from compress.model_files.declared import check_model_file
from compress.model_files.keras2_h5 import is_legacy_h5, load_legacy_h5
from compress.model_files.keras2_zip import is_legacy_zip, load_legacy_zip
from compress.model_files.saved_model import GRAPH_FILE, load_saved_model

_NOT_LOCATED = re.compile(r"Could not locate (?P<kind>class|function) '(?P<name>[^']+)'")

_OWN_MODULE = "if it is your own, name the module that defines it: --custom-objects MODULE, or model.custom_objects"


def load_model(path: Path, custom_objects: str | None = None) -> Any:
    """A functional Keras model; no code in the file is executed.

    Reads ``.keras`` and ``.h5`` files of Keras 3 and of Keras 2 (TensorFlow 2.3 to 2.15), and the SavedModel folders of
    Keras 2.

    Args:
        path: the file or folder.
        custom_objects: name of the module that defines classes of the user's own, which is imported first.

    Raises:
        ModelError: the module cannot be imported, or the file is missing, unreadable, or holds code, a subclassed
            model whose call cannot be traced, a layer that cannot be made, or weights that are not finite.
    """
    register_custom_objects(custom_objects)
    if not path.is_file() and not (path / GRAPH_FILE).is_file():
        raise ModelError(
            f"expected a .keras or .h5 file, or a SavedModel folder, received '{path}', which is none; check the path"
        )
    try:
        model = as_functional(_read(path))
        check_finite(model)
    except ModelError as error:
        raise ModelError(f"model file '{path}' cannot be read: {one_line(error, None)}") from error
    except Exception as error:  # Keras, h5py and zipfile raise a dozen unrelated types for a file they cannot read.
        raise ModelError(f"model file '{path}' cannot be read: {_reason(path, error)}") from error
    return model


def missing_object(error: Exception) -> str | None:
    """What a file holds that Keras does not know, and what to do; None where the error is another one."""
    missing = _NOT_LOCATED.search(str(error))
    return None if missing is None else f"Keras does not know its {missing['kind']} '{missing['name']}'; {_OWN_MODULE}"


def _reason(path: Path, error: Exception) -> str:
    missing = missing_object(error)
    if missing is not None:
        return missing
    if path.suffix != ".h5" or not str(error).startswith("Unknown layer"):
        return typed_line(error)
    hint = "Keras reads no operations of keras.ops from .h5 files: save the model as .keras"
    return f"{typed_line(error)}; {_OWN_MODULE}; {hint}"


def file_size(path: Path) -> int:
    """Bytes of a model file, or of all files of a SavedModel folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _read(path: Path) -> Any:
    if path.is_dir():
        return load_saved_model(path)
    check_model_file(path)
    if is_legacy_h5(path):
        return load_legacy_h5(path)
    if is_legacy_zip(path):
        return load_legacy_zip(path)
    # Safe mode refuses code also in .h5 files since Keras 3.11.3.
    return keras.models.load_model(path, compile=False, safe_mode=True)


def saved_size(model: Any) -> int:
    """Bytes of a model as a ``.keras`` file, however the file that it came from was written."""
    with TemporaryDirectory() as folder:
        return file_size(save_model(model, Path(folder) / "model.keras"))


def save_model(model: Any, path: Path) -> Path:
    """Write a model beside its destination, then move it there, so that a killed process leaves no half file.

    The state of an optimizer, as large as the weights or twice that, is left out.

    Raises:
        ModelError: the file cannot be written, or could not be read again.
    """
    if path.suffix == ".h5" and not all(isinstance(item, keras.Layer) for item in getattr(model, "operations", ())):
        raise ModelError(
            f"model file '{path}' cannot be written: Keras reads no operations of keras.ops from .h5 files; "
            "write a .keras file"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as partial, _without_optimizer(model):
            model.save(partial)
    except (OSError, ValueError) as error:  # ValueError: Keras knows no such file format.
        raise ModelError(f"model file '{path}' cannot be written: {typed_line(error)}") from error
    return path


@contextmanager
def _without_optimizer(model: Any) -> Iterator[None]:
    """A model as if it had never been compiled."""
    if not model.compiled:
        yield
        return
    optimizer, model.compiled = model.optimizer, False
    del model.optimizer
    try:
        yield
    finally:
        model.optimizer, model.compiled = optimizer, True
