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
    """Checks and converts the targets of a model's outputs.

    Attributes:
        tasks: by the name of the output.
        reference: of the function that returns the data, for messages.
    """

    tasks: Mapping[str, Task]
    reference: str

    def converted(self, data: FitData) -> FitData:
        """The splits with targets converted as the tasks take them.

        Raises:
            DataError: names that are not the outputs', or targets that do not fit their task.
        """
        splits: tuple[SplitName, ...] = ("train", "validation", "test")
        return replace(data, **{name: self._part(data, name) for name in splits})

    def _part(self, data: FitData, name: SplitName) -> Part:
        part, place = data.split(name), f"{name} of {self.reference!r}"
        if isinstance(part, Arrays):
            return replace(part, targets=self.of(part.targets, place))
        first = self.of(data.first(name)[1], place)
        if isinstance(part, tf.data.Dataset):
            return part.map(self._mapped(first, place), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return _Converted(part, self, place)

    def of(self, targets: Any, place: str) -> dict[str, Any]:
        """The converted targets (N, ...) of each output.

        Args:
            targets: a dictionary of arrays by the names of the outputs.
            place: the split and its source, for messages.

        Raises:
            DataError: names the expected and the received outputs.
        """
        names = set(self.tasks)
        if not isinstance(targets, Mapping) or set(targets) != names:
            received = ", ".join(map(str, targets)) if isinstance(targets, Mapping) else type(targets).__name__
            raise DataError(
                f"expected a dictionary of targets {', '.join(self.tasks)} in {place}, one for each output, received "
                f"{received}"
            )
        return {
            name: task.targets(np.asarray(targets[name]), f"{name} in {place}") for name, task in self.tasks.items()
        }

    def _mapped(self, first: Mapping[str, Any], place: str) -> Any:
        """A function that converts the targets of a dataset's element, to the types and shapes of the first batch."""
        types = [tf.as_dtype(first[name].dtype) for name in self.tasks]

        def convert(*arrays: Any) -> list[Any]:
            made = self.of(dict(zip(self.tasks, arrays, strict=True)), place)
            return [made[name].astype(first[name].dtype) for name in self.tasks]

        def change(inputs: Any, targets: Any, *weights: Any) -> Any:
            arrays = tf.numpy_function(convert, [targets[name] for name in self.tasks], types)
            for name, array in zip(self.tasks, arrays, strict=True):
                array.set_shape((None, *first[name].shape[1:]))
            return (inputs, dict(zip(self.tasks, arrays, strict=True)), *weights)

        return change


class _Converted(keras.utils.PyDataset):  # type: ignore[misc]
    """A PyDataset with the batches of another one, their targets converted."""

    def __init__(self, part: Any, targets: Targets, place: str) -> None:
        super().__init__(part.workers, part.use_multiprocessing, part.max_queue_size)
        self._part, self._targets, self._place = part, targets, place

    @property
    def num_batches(self) -> int | None:
        """Batches of one pass; None for no end."""
        count: int | None = self._part.num_batches
        return count

    def __getitem__(self, index: int) -> Any:
        inputs, targets, *weights = self._part[index]
        return (inputs, self._targets.of(targets, self._place), *weights)

    def on_epoch_begin(self) -> None:
        """Pass on."""
        self._part.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Pass on."""
        self._part.on_epoch_end()
