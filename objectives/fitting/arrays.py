"""Arrays as `keras.Model.fit` takes them: inputs, targets and sample weights, each one array or a structure of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt

from compress.errors import DataError, excerpt

Structure = Any
"""An array, or a tuple, a list or a dictionary of arrays."""

Batch = tuple[Structure, Structure, Structure | None]
"""Inputs, targets, and sample weights or None."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """The examples of a split in memory.

    Attributes:
        inputs, targets: of all examples, their number first in every shape.
        weights: sample weights, or None.
    """

    inputs: Structure
    targets: Structure
    weights: Structure | None = None

    @classmethod
    def of(cls, given: Sequence[Any], place: str) -> Self:
        """Arrays from ``(x, y)`` or ``(x, y, sample_weight)``.

        Args:
            given: the tuple.
            place: the split and its source, for messages.

        Raises:
            DataError: a part that is no array of numbers, or parts of different lengths.
        """
        parts = [None if part is None else keras.tree.map_structure(np.asarray, _listed(part)) for part in given]
        for array in (leaf for part in parts if part is not None for leaf in keras.tree.flatten(part)):
            if array.dtype.kind not in "biuf" or array.ndim == 0:
                raise DataError(f"expected arrays of numbers as {place}, received {excerpt(array)}")
        check_lengths(parts, place)
        return cls(*parts)

    def __len__(self) -> int:
        return len(keras.tree.flatten(self.inputs)[0])

    def taken(self, indices: npt.NDArray[np.int64]) -> "Arrays":
        """The examples at these indices."""
        parts = (self.inputs, self.targets, self.weights)
        chosen = (
            None if part is None else keras.tree.map_structure(lambda array: array[indices], part) for part in parts
        )
        return Arrays(*chosen)

    def batches(self, size: int) -> Iterator[Batch]:
        """All examples in their order, the last batch a smaller one."""
        for start in range(0, len(self), size):
            part = self.taken(np.arange(start, min(start + size, len(self))))
            yield part.inputs, part.targets, part.weights


def _listed(part: Any) -> Any:
    """A list of numbers as an array; a list of arrays is a structure and stays one."""
    return np.asarray(part) if isinstance(part, list) and not hasattr(part[0] if part else 0, "shape") else part


def check_lengths(parts: Sequence[Structure | None], place: str) -> None:
    """Refuse inputs, targets and sample weights of different numbers of examples.

    Raises:
        DataError: names the numbers.
    """
    names = ("inputs", "targets", "sample weights")
    counts = {
        name: sorted({len(leaf) for leaf in keras.tree.flatten(part)})
        for name, part in zip(names, parts, strict=False)
        if part is not None
    }
    if len({length for lengths in counts.values() for length in lengths}) > 1:
        received = ", ".join(f"{'/'.join(map(str, lengths))} {name}" for name, lengths in counts.items())
        raise DataError(f"expected as many targets and sample weights as inputs in {place}, received {received}")
