"""The user's own function, given as `module:function`."""

from typing import Any

from compress.errors import DataError, working_directory_importable
from zoo.data.dataset import ImageDataset
from zoo.data.own_function import imported_function, returned
from zoo.data.source import SourceData, Wanted, as_split, data_source


@data_source("module:function", lambda source: ":" in source)
def user(wanted: Wanted) -> SourceData | ImageDataset:
    """Import the module, from the working directory too, and call the function without arguments.

    It returns ((x_train, y_train), (x_test, y_test)) or a whole ImageDataset.
    Raises DataError naming the cause when the import, the call or the result is wrong, `sys.exit` included. A crash of
    the interpreter, or `os._exit`, ends the command: in a process of its own the data would need twice the memory.
    """
    reference = wanted.source
    with working_directory_importable():
        result = returned(imported_function(reference), reference)
    return result if isinstance(result, ImageDataset) else _as_source(result, reference, wanted)


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
