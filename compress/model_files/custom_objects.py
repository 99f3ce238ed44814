"""The module in which users define classes of their own that a model file names."""

import importlib
from types import ModuleType

import keras

from compress.errors import ModelError, foreign_code, working_directory_importable


def register_custom_objects(module: str | None) -> None:
    """Import a module, from the working directory too, so that model files may hold its classes.

    What the module registers at Keras itself is known then; every other layer or model class in it is made known by its
    name, for as long as the process lives.

    Args:
        module: dotted name; None does nothing.

    Raises:
        ModelError: the module cannot be imported.
    """
    if module is None:
        return

    def explained(line: str) -> ModelError:
        return ModelError(f"expected an importable module as custom_objects, received {module!r}: {line}")

    with working_directory_importable(), foreign_code(explained):
        imported = importlib.import_module(module)
    keras.saving.get_custom_objects().update(_classes(imported))


def _classes(module: ModuleType) -> dict[str, type]:
    return {
        name: item
        for name, item in vars(module).items()
        if isinstance(item, type)
        and issubclass(item, keras.Operation)
        and not item.__module__.startswith("keras.")
        and not hasattr(keras.layers, name)  # Files of Keras's own layers mean Keras's.
    }
