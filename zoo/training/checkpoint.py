"""A training run between two epochs, as a file: what resumes in another process and ends in the same weights."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import keras
import numpy as np
import numpy.typing as npt

from compress.disk.whole_file import remove_whole, replaced
from compress.errors import RunError, one_line
from zoo.training.callbacks import AveragedWeights, BestWeights
from zoo.training.precision import PrecisionName

Arrays = list[npt.NDArray[Any]]

_T = TypeVar("_T")
_META = "meta"
_GROUPS = ("variables", "optimizer", "best")


@dataclass(frozen=True)
class TrainingProgress:
    """How far a run is.

    Attributes:
        epochs: whole epochs behind it.
        figure, loss: of the best epoch, on the validation split.
        waited: epochs in a row that were not better.
        plateau_best, plateau_waited, plateau_cooldown: of ReduceLROnPlateau, the best None before the first epoch, or
            where the schedule is another one.
        precision: what the layers compute in, in which the run goes on wherever that is; None where users' code says.
    """

    epochs: int
    figure: float
    loss: float
    waited: int
    plateau_best: float | None
    plateau_waited: int
    plateau_cooldown: int
    precision: PrecisionName | None


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Everything that the next epoch depends on but the data, which are a function of the seed and the epoch.

    Attributes:
        progress: how far the run is, and what its schedule counts.
        variables: of the model: weights, statistics, and the states of random layers.
        optimizer: its variables: steps, learning rate, momenta.
        best: weights of the best epoch.
    """

    progress: TrainingProgress
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
    def progress(self) -> TrainingProgress | None:
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
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replaced(self.path) as partial, partial.open("wb") as file:
                np.savez(file, **arrays)
        except OSError as error:
            raise RunError(
                f"checkpoint '{self.path}' cannot be written ({error.strerror}); make room, and run the same command "
                "again: it goes on from the last epoch that was kept"
            ) from error

    def remove(self) -> None:
        """Delete the file, where there is one, and what a killed process left of it."""
        remove_whole(self.path)

    def _read(self, part: Callable[[TrainingProgress, Any], _T]) -> _T | None:
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                meta = json.loads(str(arrays[_META]))
                if meta["fingerprint"] != self.fingerprint:
                    return None
                return part(TrainingProgress(**meta["progress"]), arrays)
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise RunError(
                f"checkpoint '{self.path}' cannot be read ({one_line(error)}); delete it to train anew"
            ) from error


def _group(arrays: Any, name: str) -> Arrays:
    count = sum(key.startswith(f"{name}-") for key in arrays.files)
    return [arrays[f"{name}-{i}"] for i in range(count)]


def copies_of(variables: Sequence[Any]) -> Arrays:
    """The values of variables, as arrays of their own."""
    return [np.array(variable.numpy()) for variable in variables]


def assign_all(variables: Sequence[Any], arrays: Arrays) -> None:
    """Put values back into variables of the same shapes, in the same order."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


class TrainingBackup(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the state of a run after every epoch. It stands behind the callbacks whose state it keeps.

    Keras's own BackupAndRestore keeps weights and optimizer, but neither what ReduceLROnPlateau has counted, nor the
    best weights, nor the states of random layers, nor the place in the data.

    Args:
        checkpoint: the file.
        network: the model whose weights are trained, compiled.
        best: keeps the best weights.
        plateau: lowers the learning rate; None where the schedule follows the optimizer's steps.
        averages: holds the moving averages of the weights, where the optimizer makes any.
        precision: what the layers of a run that begins here compute in.

    Attributes:
        precision: what they compute in; of a resumed run, what they did before.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: keras.Model,
        best: BestWeights,
        plateau: keras.callbacks.ReduceLROnPlateau | None,
        averages: AveragedWeights | None,
        precision: PrecisionName,
    ) -> None:
        super().__init__()
        self.precision = precision
        self._averages = averages
        self._checkpoint, self._network, self._best, self._plateau = checkpoint, network, best, plateau
        self._resumed: TrainingProgress | None = None

    def resume(self) -> int:
        """Put back what the file holds, and say how many whole epochs that is; 0 without a file.

        Raises:
            RunError: the file cannot be read.
        """
        state = self._checkpoint.state()
        if state is None:
            return 0
        network, progress = self._network, state.progress
        assign_all(network.variables, state.variables)
        assign_all(network.optimizer.variables, state.optimizer)
        self._best.put_back(state.best, progress.figure, progress.loss, progress.waited)
        if self._averages is not None:
            self._averages.in_model = True
        self._resumed, self.precision = progress, progress.precision or self.precision
        return progress.epochs

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Give ReduceLROnPlateau, which has just forgotten all, its counts back."""
        if self._resumed is not None and self._plateau is not None:
            self._plateau.best = self._resumed.plateau_best
            self._plateau.wait = self._resumed.plateau_waited
            self._plateau.cooldown_counter = self._resumed.plateau_cooldown

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the state.

        Raises:
            RunError: the file cannot be written.
        """
        best, network = self._best, self._network
        counts = (best.figure, best.loss, best.waited, *_counts(self._plateau))
        progress = TrainingProgress(epoch + 1, *counts, self.precision)
        state = TrainingState(
            progress, copies_of(network.variables), copies_of(network.optimizer.variables), best.weights
        )
        self._checkpoint.write(state)


def _counts(plateau: keras.callbacks.ReduceLROnPlateau | None) -> tuple[float | None, int, int]:
    """Best loss, epochs waited, and epochs of cooldown left."""
    if plateau is None:
        return None, 0, 0
    return None if plateau.best is None else float(plateau.best), plateau.wait, plateau.cooldown_counter
