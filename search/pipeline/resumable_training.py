"""Training that resumes after an interruption: a log line and a checkpoint per epoch, and curves in TensorBoard."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from configs.schema.run import RunConfig
from objectives.score.fine_tuning import FineTuning
from search.driver.listeners.trackers import TENSORBOARD
from search.pipeline.durations import left_text
from search.runs.run_folder import RunFolder
from search.study.identity import model_digest
from zoo.data.dataset import Data
from zoo.data.digest import split_digest
from zoo.tasks.own_task import OwnTask
from zoo.tasks.task import Task
from zoo.training.checkpoint import Checkpoint, TrainingProgress
from zoo.training.devices import devices_line
from zoo.training.precision import precision_for, precision_line
from zoo.training.training import TrainingSettings

_FIRST_SECONDS = 15.0
"""Seconds of steps after the first one, which is traced, before the time left is logged for the first time."""


class EpochLines(keras.callbacks.Callback):  # type: ignore[misc]
    """Logs a line with the time left after every epoch, and once during the first, as soon as it can be estimated."""

    # Otherwise Keras would wait for the result of every step.
    async_safe = True

    def __init__(self, epochs: int, metric: str, log: Callable[[str], None]) -> None:
        super().__init__()
        self._epochs, self._metric, self._log = epochs, metric, log
        self._epoch, self._rate, self._told = 0, 0.0, False
        self._first: tuple[int, float] | None = None
        self._began = time.monotonic()
        self._resumed: int | None = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note the learning rate at the beginning of the epoch; a schedule may change it within."""
        self._epoch, self._rate = epoch, float(self.model.optimizer.learning_rate)
        if self._resumed is None:
            self._resumed, self._began = epoch, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Log once, by the steps of the first epoch, how long the whole training takes."""
        now = time.monotonic()
        self._first = self._first or (batch, now)
        before, since = self._first
        steps = self.params["steps"]
        if self._told or steps is None or now - since < _FIRST_SECONDS:
            return
        self._told = True
        left = (now - since) / (batch - before) * (steps * (self._epochs - self._epoch) - batch - 1)
        self._log(f"  epoch {self._epoch + 1}/{self._epochs}: step {batch + 1} of {steps}{left_text(left)}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Log the figures of this epoch."""
        figures, self._told = logs or {}, True
        done = epoch + 1 - (self._resumed or 0)
        began = self._began if self._first is None else self._first[1]
        left = (time.monotonic() - began) / done * (self._epochs - epoch - 1)
        self._log(
            f"  epoch {epoch + 1}/{self._epochs}: loss {figures['loss']:.4f}, "
            f"validation loss {figures['val_loss']:.4f}, {self._metric} {figures[f'val_{self._metric}']:.4f}, "
            f"learning rate {self._rate:g}{left_text(left)}"
        )


class FlushedTensorBoard(keras.callbacks.TensorBoard):  # type: ignore[misc]
    """Keras's TensorBoard callback, flushed after every epoch in case the process is killed."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the figures of this epoch to the disk."""
        super().on_epoch_end(epoch, logs)
        for writer in self._writers.values():
            writer.flush()


@dataclass(frozen=True)
class ResumableTraining:
    """Trains models of one run; the same command resumes a training that was interrupted.

    Attributes:
        config: of the run.
        folder: of the run, held by this process.
        data: images and their targets, or a task of the user's own.
        log: called with each line.
    """

    config: RunConfig
    folder: RunFolder
    data: Data
    log: Callable[[str], None]

    def __call__(self, name: str, model: Any, tuning: FineTuning, original: Any) -> None:
        """Train a model in place, from its checkpoint where there is one.

        Args:
            name: of the training within the run, such as ``search-prune``.
            model: with the weights before the training.
            tuning: how it is trained.
            original: the run's original model, the teacher of distillation.

        Raises:
            TuckpruneError: a checkpoint that cannot be read or written, or a loss that is not finite.
        """
        checkpoint = Checkpoint(self._path(name), self._fingerprint(name, model, tuning, original))
        epochs = tuning.training.epochs
        self._log_checkpoint(checkpoint, epochs)
        self._log_hardware(tuning.training, model, checkpoint)
        lines = EpochLines(epochs, self.data.task.metrics[0].name, self.log)
        result = tuning(model, self.data, original, [lines, *self._boards(name, checkpoint)], checkpoint)
        if result.epochs < epochs:
            waited = tuning.training.early_stopping
            self.log(f"stopped early after epoch {result.epochs}: the last {waited} validated no better")

    def forget(self, *names: str) -> None:
        """Delete the checkpoints of trainings whose models are saved."""
        for name in names:
            Checkpoint(self._path(name), "").remove()
        if self.folder.checkpoints.is_dir() and not any(self.folder.checkpoints.iterdir()):
            self.folder.checkpoints.rmdir()

    def _path(self, name: str) -> Path:
        return self.folder.checkpoints / f"{name}.npz"

    def _log_hardware(self, training: TrainingSettings, model: Any, checkpoint: Checkpoint) -> None:
        """Log the devices and the precision of a training where they were chosen automatically."""
        lines = [devices_line(training.devices, training.batch_size)]
        if not isinstance(self.data, OwnTask):
            lines.append(_precision_line(training, model, self.data.task, checkpoint.progress))
        for line in filter(None, lines):
            self.log(line)

    def _log_checkpoint(self, checkpoint: Checkpoint, epochs: int) -> None:
        if checkpoint.is_foreign:
            self.log(f"'{checkpoint.path}' is of another model, configuration or data: training begins anew")
        progress = checkpoint.progress
        if progress is not None:
            self.log(f"resuming behind epoch {progress.epochs} of {epochs}, kept in '{checkpoint.path}'")

    def _boards(self, name: str, checkpoint: Checkpoint) -> list[FlushedTensorBoard]:
        if TENSORBOARD not in self.config.log_to or isinstance(self.data, OwnTask):
            return []
        folder = self.folder.tensorboard
        self.log(
            f"loss, {self.data.task.metrics[0].name} and learning rate in TensorBoard: tensorboard --logdir {folder}"
        )
        if checkpoint.progress is None and (folder / name).is_dir():
            # Curves of an earlier training of this name would be drawn into the new ones.
            shutil.rmtree(folder / name)
        # The model's graph would be larger than all figures together.
        return [FlushedTensorBoard(str(folder / name), write_graph=False)]

    def _fingerprint(self, name: str, model: Any, tuning: FineTuning, original: Any) -> str:
        """Digest of everything that the training depends on, except for the model's weights before it.

        They follow from the rest, and may be rounded differently on another processor.
        """
        sections = self.config.model_dump(mode="json", include={"seed", "data", "task", "pruning", "recipe"})
        shapes = [list(variable.shape) for variable in model.variables]
        parts = [name, keras.__version__, sections, self.config.finetune.unfreeze, repr(tuning), shapes]
        parts.append(model_digest(original))
        text = json.dumps([*parts, *_data_parts(self.data)])
        return hashlib.sha256(text.encode()).hexdigest()


def _precision_line(training: TrainingSettings, model: Any, task: Task, begun: TrainingProgress | None) -> str | None:
    """A line on the precision where it was chosen automatically, on this machine or where the training began."""
    if training.precision is None and begun is not None and begun.precision != precision_for(task):
        return f"computes in {begun.precision}, as it began"
    return precision_line(training.precision, task, model)


def _data_parts(data: Data) -> list[str]:
    """Texts that identify the data: digests of images and targets, or the code of a task of the user's own."""
    if isinstance(data, OwnTask):
        return [repr(data)]
    return [
        repr(data.task),
        repr(data.normalization),
        *(split_digest(split) for split in (data.train, data.validation)),
    ]
