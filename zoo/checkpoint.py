"""A training run between two epochs, as a file: what resumes in another process and ends in the same weights."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from compress.errors import RunError

Arrays = list[npt.NDArray[Any]]

_T = TypeVar("_T")
_META = "meta"
_GROUPS = ("variables", "optimizer", "best")


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        epochs: whole epochs behind it.
        accuracy, loss: of the best epoch, on the validation split.
        waited: epochs in a row that were not better.
        plateau_best, plateau_waited, plateau_cooldown: of ReduceLROnPlateau, the best None before the first epoch.
    """

    epochs: int
    accuracy: float
    loss: float
    waited: int
    plateau_best: float | None
    plateau_waited: int
    plateau_cooldown: int


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Everything that the next epoch depends on but the data, which are a function of the seed and the epoch.

    Attributes:
        progress: how far the run is, and what its schedule counts.
        variables: of the model: weights, statistics, and the states of random layers.
        optimizer: its variables: steps, learning rate, momenta.
        best: weights of the best epoch.
    """

    progress: Progress
    variables: Arrays
    optimizer: Arrays
    best: Arrays


@dataclass(frozen=True)
class Checkpoint:
    """The file of one training run.

    Attributes:
        path: of the file, an ``.npz``; its folder is made where it is missing.
        fingerprint: of all that the run depends on. A state of another fingerprint is left alone, and replaced by the
            first epoch.
    """

    path: Path
    fingerprint: str

    @property
    def is_foreign(self) -> bool:
        """Whether the file holds a state of something else.

        Raises:
            RunError: it cannot be read.
        """
        return self.path.exists() and self.progress is None

    @property
    def progress(self) -> Progress | None:
        """How far the run is, without reading its arrays; None where it has not begun.

        Raises:
            RunError: the file cannot be read.
        """
        return self._read(lambda progress, arrays: progress)

    def state(self) -> TrainingState | None:
        """The state to go on from; None where the run has not begun.

        Raises:
            RunError: the file cannot be read.
        """
        return self._read(lambda progress, arrays: TrainingState(progress, *(_group(arrays, name) for name in _GROUPS)))

    def write(self, state: TrainingState) -> None:
        """Replace the file whole, so that a killed process leaves the last epoch or this one.

        Raises:
            RunError: it cannot be written.
        """
        meta = json.dumps({"fingerprint": self.fingerprint, "progress": asdict(state.progress)})
        arrays: dict[str, Any] = {_META: np.array(meta)}
        for name in _GROUPS:
            arrays |= {f"{name}-{i}": array for i, array in enumerate(getattr(state, name))}
        partial = self.path.with_name(f".partial-{self.path.name}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except OSError as error:
            if partial.is_file():
                partial.unlink()
            raise RunError(
                f"checkpoint '{self.path}' cannot be written ({error.strerror}); make room, and run the same command "
                "again: it goes on from the last epoch that was kept"
            ) from error

    def remove(self) -> None:
        """Delete the file, where there is one."""
        self.path.unlink(missing_ok=True)

    def _read(self, part: Callable[[Progress, Any], _T]) -> _T | None:
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                meta = json.loads(str(arrays[_META]))
                if meta["fingerprint"] != self.fingerprint:
                    return None
                return part(Progress(**meta["progress"]), arrays)
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise RunError(
                f"checkpoint '{self.path}' cannot be read ({' '.join(str(error).split())}); delete it to train anew"
            ) from error


def _group(arrays: Any, name: str) -> Arrays:
    count = sum(key.startswith(f"{name}-") for key in arrays.files)
    return [arrays[f"{name}-{i}"] for i in range(count)]


def values(variables: Sequence[Any]) -> Arrays:
    """Copies of what variables hold."""
    return [np.array(variable.numpy()) for variable in variables]


def assign(variables: Sequence[Any], arrays: Arrays) -> None:
    """Put values back into variables of the same shapes, in the same order."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
