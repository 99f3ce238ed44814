"""Labels as class numbers, what labels of other kinds are called, and labels as metrics take them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from compress.errors import DataError, excerpt
from zoo.tasks.metric import Metric

Array = npt.NDArray[Any]


def class_numbers(labels: Any, what: str) -> npt.NDArray[np.int64]:
    """Labels (N,) or (N, 1) of integers as (N,) int64; `what` names them in messages.

    Raises DataError for labels of any other kind, which it names.
    """
    classes = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if classes.ndim == 1 and np.issubdtype(classes.dtype, np.integer):
        numbers: npt.NDArray[np.int64] = classes.astype(np.int64)
        return numbers
    raise DataError(
        f"expected integer labels of shape (N,) in {what}, received {labels.dtype} of shape {labels.shape}: "
        f"{_kind(classes)}"
    )


def _kind(labels: Any) -> str:
    """What labels seem to be, and what to do with them."""
    if labels.dtype.kind not in "biuf":
        return _kind_of_objects(labels.ravel())
    if labels.ndim == 2:
        return _kind_of_rows(labels)
    if labels.ndim != 1:
        return (
            f"masks, boxes or other labels of {labels.ndim - 1} axes an image; set task: segmentation for masks of "
            "class numbers, task: image_to_image for images"
        )
    if labels.dtype.kind == "b":
        return "true or false; turn them into class numbers with astype('int64')"
    if np.isfinite(labels).all() and (labels == np.round(labels)).all():
        return "whole numbers as floats; if they are class numbers, turn them into integers with astype('int64')"
    return "a number an image; set task: regression"


def is_one_hot(rows: Any) -> bool:
    """Whether each of some rows (N, classes) has a single 1, and zeros."""
    return bool(len(rows) and ((rows == 0) | (rows == 1)).all() and ((rows != 0).sum(axis=1) == 1).all())


def _kind_of_rows(rows: Any) -> str:
    zeros_and_ones = ((rows == 0) | (rows == 1)).all()
    if is_one_hot(rows):
        return "one-hot rows; turn them into class numbers with argmax(axis=1)"
    if zeros_and_ones:
        return "rows of zeros and ones that are not one-hot, as for several labels an image; set task: multilabel"
    if (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
        return "rows of probabilities; turn them into class numbers with argmax(axis=1)"
    return f"{rows.shape[1]} numbers an image; set task: regression"


def _kind_of_objects(values: Any) -> str:
    first = next(iter(values[:1].tolist()), None)
    if isinstance(first, (str, bytes)):
        return f"names such as {excerpt(first)}; number them from 0 with numpy.unique(labels, return_inverse=True)[1]"
    return f"objects such as {excerpt(first)}; turn them into class numbers"


def rows_compared(metric: Metric, numbers: Array, outputs: Array, one_unit: bool) -> tuple[Array, Array]:
    """Class numbers (N,) and probabilities (N, classes) as a class of `keras.metrics` takes them.

    one_unit: whether the model has a single unit, so that what takes no numbers gets (N, 1) as Keras does by itself.
    """
    if metric.labels == "index":
        return numbers, outputs
    if one_unit:
        return numbers[:, None].astype(np.float32), outputs[:, 1:]
    return np.eye(outputs.shape[1], dtype=np.float32)[numbers], outputs
