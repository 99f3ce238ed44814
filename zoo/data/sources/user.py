"""The user's own function, given as `module:function`."""

import importlib
from typing import Any

from compress.errors import DataError, foreign_code, working_directory_importable
from zoo.data.dataset import ImageDataset
from zoo.data.source import SourceData, Wanted, as_split, data_source


@data_source("module:function", lambda source: ":" in source)
def user(wanted: Wanted) -> SourceData | ImageDataset:
    """Import the module, from the working directory too, and call the function without arguments.

    It returns ((x_train, y_train), (x_test, y_test)) or a whole ImageDataset.
    Raises DataError naming the cause when the import, the call or the result is wrong, `sys.exit` included. A crash of
    the interpreter, or `os._exit`, ends the command: in a process of its own the data would need twice the memory.
    """
    reference = wanted.source
    module_name, _, function_name = reference.partition(":")
    with working_directory_importable():
        result = _call(_resolve(module_name, function_name, reference), reference)
    return result if isinstance(result, ImageDataset) else _as_source(result, reference, wanted)


def _resolve(module_name: str, function_name: str, reference: str) -> Any:
    with foreign_code(lambda line: DataError(f"expected an importable module in {reference!r}, received {line}")):
        module = importlib.import_module(module_name)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise DataError(f"expected a function {function_name!r} in module {module_name!r}, received {function!r}")
    return function


def _call(function: Any, reference: str) -> Any:
    with foreign_code(lambda line: DataError(f"expected data from {reference!r}, received {line}")):
        return function()


def _as_source(result: Any, reference: str, wanted: Wanted) -> SourceData:
    try:
        (train_images, train_targets), (test_images, test_targets) = result
    except (TypeError, ValueError) as error:
        raise DataError(
            f"expected ((x_train, y_train), (x_test, y_test)) or an ImageDataset from {reference!r}, "
            f"received {type(result).__name__}"
        ) from error
    train = as_split(train_images, train_targets, f"{reference} train", wanted.task, wanted.series)
    test = as_split(test_images, test_targets, f"{reference} test", wanted.task, wanted.series)
    return SourceData(reference, train, test)
