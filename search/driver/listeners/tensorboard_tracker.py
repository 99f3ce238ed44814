"""Trials as TensorBoard shows them: a row of its HParams table each, and a point of each figure's curve."""

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tensorboard.plugins.hparams import api

from search.driver.listeners.tracker import metrics_of, settings_of
from search.study.trial_record import TrialRecord


@dataclass(frozen=True)
class TensorBoardTracker:
    """Writes event files, a folder for each trial, as the HParams plugin wants them.

    Attributes:
        folder: of the folders.
    """

    folder: Path

    @property
    def place(self) -> str:
        """What messages call it."""
        return f"TensorBoard's log '{self.folder}'"

    def known(self) -> set[str]:
        """The sources of the trials that it holds already.

        Raises:
            OSError: the folder cannot be read.
        """
        return {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()

    def add(self, record: TrialRecord) -> None:
        """Keep one more, its figures at the step of its number.

        Raises:
            OSError, tf.errors.OpError: the file cannot be written.
        """
        # Written under another name first: a killed process leaves no incomplete trial that counts as known.
        partial, whole = self.folder / f".{record.source}", self.folder / record.source
        partial.mkdir(parents=True, exist_ok=True)
        writer = tf.summary.create_file_writer(str(partial))
        with writer.as_default():
            api.hparams({"state": record.state, **settings_of(record)}, trial_id=record.source)
            for name, value in metrics_of(record).items():
                tf.summary.scalar(name, value, step=record.number)
        writer.close()
        partial.rename(whole)
