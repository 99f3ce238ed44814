"""What a model file was compiled with: loss, loss weights, metrics and optimizer."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from compress.cloning.walk import as_functional
from compress.errors import ModelError, typed_line
from compress.model_files.custom_objects import register_custom_objects
from compress.model_files.declared import check_model_file
from compress.model_files.files import missing_object
from compress.model_files.keras2_h5 import is_legacy_h5
from compress.model_files.keras2_zip import is_legacy_zip


@dataclass(frozen=True)
class CompiledModel:
    """How a model was compiled, and what its outputs are called.

    Attributes:
        config: arguments of ``compile`` as Keras stores them; empty where it was not compiled.
        output_names: of all outputs, in the order in which Keras flattens them: keys of a dictionary, or layers.
    """

    config: Mapping[str, Any]
    output_names: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, custom_objects: str | None = None) -> "CompiledModel":
        """Read it out of a ``.keras`` or ``.h5`` file of Keras 3.

        Raises:
            ModelError: a file of Keras 2 or a folder, a loss or metric that Keras does not know, or a file that cannot
                be read.
        """
        register_custom_objects(custom_objects)
        if not path.is_file() or is_legacy_h5(path) or is_legacy_zip(path):
            raise ModelError(
                f"expected a .keras or .h5 file of Keras 3, which says how it was compiled, received '{path}'; load "
                "the model with Keras 3, compile it, and save it again"
            )
        check_model_file(path)
        try:
            with warnings.catch_warnings():
                # The optimizer's state is not wanted, and need not fit.
                warnings.filterwarnings("ignore", "Skipping variable loading", UserWarning)
                model = keras.models.load_model(path, compile=True, safe_mode=True)
        except Exception as error:  # Keras, h5py and zipfile raise a dozen unrelated types for a file they cannot read.
            reason = missing_object(error) or typed_line(error)
            raise ModelError(f"model file '{path}' cannot be read as it was compiled: {reason}") from error
        return cls(model.get_compile_config() or {}, _names_of_outputs(model))


def _names_of_outputs(model: Any) -> tuple[str, ...]:
    """Names of a model's outputs: keys of a dictionary, sorted, or else the layers that they come from."""
    functional = as_functional(model)
    own = getattr(model, "output_names", None) or functional.output_names
    names = sorted(functional.output) if isinstance(functional.output, Mapping) else own
    if len(names) != len(functional.outputs):
        raise ModelError(
            f"expected a tensor, a list or a flat dictionary as output of '{model.name}', received a nested structure "
            f"of {len(functional.outputs)} tensors; give each a name of its own"
        )
    return tuple(names)
