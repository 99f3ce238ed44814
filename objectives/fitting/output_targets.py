"""Targets of several outputs, as users give them, in the form that each output's task takes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from compress.errors import DataError
from objectives.fitting.arrays import Arrays
from objectives.fitting.fit_data import FitData, Part
from zoo.tasks.own_task import SplitName
from zoo.tasks.task import Task


@dataclass(frozen=True)
class Targets:
    """What targets must be.

    Attributes:
        tasks: of each output, by its name.
        reference: of the function that returns the data, for messages.
    """

    tasks: Mapping[str, Task]
    reference: str

    def converted(self, data: FitData) -> FitData:
        """The splits with the targets that the tasks take.

        Raises:
            DataError: other names than the outputs', or targets of another task.
        """
        splits: tuple[SplitName, ...] = ("train", "validation", "test")
        return replace(data, **{name: self._part(data, name) for name in splits})

    def _part(self, data: FitData, name: SplitName) -> Part:
        part, what = data.split(name), f"{name} of {self.reference!r}"
        if isinstance(part, Arrays):
            return replace(part, targets=self.of(part.targets, what))
        first = self.of(data.first(name)[1], what)
        if isinstance(part, tf.data.Dataset):
            return part.map(self._mapped(first, what), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return _Converted(part, self, what)

    def of(self, targets: Any, what: str) -> dict[str, Any]:
        """Targets (N, ...) of each output, of a dictionary of arrays.

        Raises:
            DataError: names what is missing, or what is too much.
        """
        names = set(self.tasks)
        if not isinstance(targets, Mapping) or set(targets) != names:
            received = ", ".join(map(str, targets)) if isinstance(targets, Mapping) else type(targets).__name__
            raise DataError(
                f"expected a dictionary of targets {', '.join(self.tasks)} in {what}, one for each output, received "
                f"{received}"
            )
        return {name: task.targets(np.asarray(targets[name]), f"{name} in {what}") for name, task in self.tasks.items()}

    def _mapped(self, first: Mapping[str, Any], what: str) -> Any:
        """From an element of a dataset to one with converted targets, of the types and shapes of the first batch."""
        types = [tf.as_dtype(first[name].dtype) for name in self.tasks]

        def convert(*arrays: Any) -> list[Any]:
            made = self.of(dict(zip(self.tasks, arrays, strict=True)), what)
            return [made[name].astype(first[name].dtype) for name in self.tasks]

        def change(inputs: Any, targets: Any, *weights: Any) -> Any:
            arrays = tf.numpy_function(convert, [targets[name] for name in self.tasks], types)
            for name, array in zip(self.tasks, arrays, strict=True):
                array.set_shape((None, *first[name].shape[1:]))
            return (inputs, dict(zip(self.tasks, arrays, strict=True)), *weights)

        return change


class _Converted(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of another one, with converted targets."""

    def __init__(self, part: Any, targets: Targets, what: str) -> None:
        super().__init__(part.workers, part.use_multiprocessing, part.max_queue_size)
        self._part, self._targets, self._what = part, targets, what

    @property
    def num_batches(self) -> int | None:
        """Batches of one pass; None for no end."""
        count: int | None = self._part.num_batches
        return count

    def __getitem__(self, index: int) -> Any:
        inputs, targets, *weights = self._part[index]
        return (inputs, self._targets.of(targets, self._what), *weights)

    def on_epoch_begin(self) -> None:
        """Pass on."""
        self._part.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Pass on."""
        self._part.on_epoch_end()
