"""The user's own function, given as `module:function`."""

from typing import Any

from compress.errors import DataError, working_directory_importable
from zoo.data.dataset import ImageDataset, Split
from zoo.data.own_function import imported_function, returned
from zoo.data.pipeline import Pipeline, is_pipeline, sides
from zoo.data.source import SourceData, Wanted, as_split, data_source
from zoo.tasks.kinds.classification import Classification


@data_source("module:function", lambda source: ":" in source and "://" not in source)
def user(wanted: Wanted) -> SourceData | ImageDataset:
    """Import the module, from the working directory too, and call the function without arguments.

    It returns ((x_train, y_train), (x_test, y_test)), of arrays, with a pair for validation between them or without; a
    `tf.data.Dataset` or a `keras.utils.PyDataset` in place of any pair; or a whole ImageDataset.
    Raises DataError naming the cause when the import, the call or the result is wrong, `sys.exit` included. A crash of
    the interpreter, or `os._exit`, ends the command: in a process of its own the data would need twice the memory.
    """
    reference = wanted.source
    with working_directory_importable():
        result = returned(imported_function(reference), reference)
    return result if isinstance(result, ImageDataset) else _as_source(result, reference, wanted)


def _as_source(result: Any, reference: str, wanted: Wanted) -> SourceData:
    names = {2: ("train", "test"), 3: ("train", "validation", "test")}
    given = tuple(result) if isinstance(result, tuple | list) else ()
    if len(given) not in names or not all(is_pipeline(part) or _is_tuple(part) for part in given):
        raise DataError(
            "expected ((x_train, y_train), (x_test, y_test)), with a pair for validation between them or without, "
            f"tf.data.Datasets or PyDatasets in place of pairs, or an ImageDataset from {reference!r}, received "
            f"{type(result).__name__}{f' of {len(given)}' if given else ''}"
        )
    splits: dict[str, Split] = {}
    for name, part in zip(names[len(given)], given, strict=True):
        left = wanted.in_memory - sum(split.images.nbytes + split.targets.nbytes for split in splits.values())
        words = f"{reference} {name}"
        inputs, targets = _read(part, words, name, wanted, left) if is_pipeline(part) else sides(part, words)
        splits[name] = as_split(inputs, targets, words, wanted.task, wanted.series)
    return SourceData(reference, splits["train"], splits["test"], validation=splits.get("validation"))


def _is_tuple(part: Any) -> bool:
    """Whether it may be (x, y), or (x, y, sample weights), which are refused by their name."""
    return isinstance(part, tuple | list) and len(part) in (2, 3)


def _read(pipeline: Any, words: str, part: str, wanted: Wanted, most: float) -> tuple[Any, Any]:
    if part == "train":
        wanted.warn(
            f"{words} is read once: what the pipeline changes at random is drawn once and stays; put random changes "
            "into augment"
        )
    limit = {"train": wanted.train_limit, "test": wanted.test_limit}.get(part)
    one_hot = isinstance(wanted.task, Classification)
    return Pipeline(pipeline, words, wanted.series, one_hot, limit, most).read()
