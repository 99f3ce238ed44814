"""The module in which users define classes of their own that a model file names."""

import importlib
from types import FunctionType, ModuleType
from typing import Any

import keras

from compress.errors import ModelError, foreign_code, working_directory_importable


def register_custom_objects(module: str | None) -> None:
    """Import a module, from the working directory too, so that model files may hold its classes.

    What the module registers at Keras itself is known then; every other class of layers, models, losses, metrics or
    optimizers in it, and every function that it defines, is made known by its name, for as long as the process lives.

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
    keras.saving.get_custom_objects().update(_own_objects(imported))


_KINDS = {
    keras.Operation: keras.layers,
    keras.Loss: keras.losses,
    keras.Metric: keras.metrics,
    keras.Optimizer: keras.optimizers,
}
"""Classes of which users have their own, and where those of Keras are: files that name these mean Keras's."""


def _own_objects(module: ModuleType) -> dict[str, Any]:
    return {name: item for name, item in vars(module).items() if _is_own(name, item, module)}


def _is_own(name: str, item: Any, module: ModuleType) -> bool:
    if isinstance(item, FunctionType):
        keras_has = any(hasattr(known, name) for known in (keras.activations, keras.losses, keras.metrics))
        return item.__module__ == module.__name__ and not keras_has
    if not isinstance(item, type) or item.__module__.startswith("keras."):
        return False
    return any(issubclass(item, kind) and not hasattr(known, name) for kind, known in _KINDS.items())
