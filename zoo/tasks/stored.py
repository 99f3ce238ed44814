"""Targets that stay in their files, for tasks that have to look at all of them."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class StoredTargets(ABC):
    """Targets (N, ...) of which parts are read when they are indexed, as those of an array."""

    @property
    @abstractmethod
    def distinct(self) -> Array:
        """Every value that occurs, once, by one pass over all files.

        Raises:
            DataError: names the files that cannot be read.
        """

    @abstractmethod
    def place(self, value: int) -> str:
        """A file in which a value occurs, for messages: `` in masks/3.png``."""


def values_of(targets: Any) -> Array:
    """All values of an array of targets; of targets in files each one that occurs, once."""
    return targets.distinct if isinstance(targets, StoredTargets) else np.asarray(targets)


def place_of(targets: Any, value: int) -> str:
    """Where a value occurs, for messages; nothing of an array."""
    return targets.place(value) if isinstance(targets, StoredTargets) else ""
