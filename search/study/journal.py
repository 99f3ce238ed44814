"""A study's journal file, whose single writer appends several lines in one batch."""

import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._storage import JournalOperation

from compress.errors import RunError
from search.study.shared_replay import SharingJournalStorage

Log = dict[str, Any]

_PLACE = "at"
"""Key of the byte offset at which a line was written, by which missing or changed lines before it are noticed."""


class BatchedJournal(JournalFileBackend):
    """Optuna's journal file, which can write many lines at once, as a batch.

    Every append waits for the disk, and a proposal of 68 preferences has more than 68 lines. A kill during a batch
    loses all of it, which leaves the study as it was before. The lines of a batch on a trial that it creates are merged
    into one, which is read several times as fast. Every line contains the byte offset at which it begins.

    Args:
        path: of the file; no other process writes to it.

    Raises:
        RunError: the file cannot be written, for instance because the disk is full; or lines in it are missing or
            changed.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._held = path, JournalFileOpenLock(str(path))
        super().__init__(str(path), lock_obj=self._held)
        self._batch: list[Log] | None = None
        self._written = 0

    def append_logs(self, logs: list[Log]) -> None:
        """Write the lines, or keep them for the end of the batch."""
        if self._batch is None:
            self._write(logs)
        else:
            # In the form in which they will be read: JSON has no tuples.
            self._batch += json.loads(json.dumps(logs))

    def read_logs(self, log_number_from: int) -> Generator[Log, None, None]:
        """All lines from this number on, those of an open batch included."""
        if self._batch is None:
            self._written = log_number_from
            for log in super().read_logs(log_number_from):
                self._check_place(log.pop(_PLACE, None))
                self._written += 1
                yield log
        else:
            yield from self._batch[log_number_from - self._written :]

    def _check_place(self, written_at: int | None) -> None:
        """Refuse the next line where its offset is not the stored one; lines of Optuna's own writer store none."""
        begins = self._log_number_offset[self._written]
        if written_at not in (None, begins):
            raise RunError(
                f"the study '{self._path}' is damaged: expected line {self._written + 1} at byte {written_at}, where "
                f"it was written, received it at byte {begins}: lines before it are missing or were changed; restore "
                "the file, or start a run of another name:"
            )

    def _write(self, logs: list[Log]) -> None:
        try:
            self._held.acquire()
            try:
                self._append(logs)
            finally:
                self._held.release()
        except OSError as error:
            raise RunError(
                f"the study '{self._path}' cannot be written ({error.strerror}); what it holds is safe: make room, and "
                "run the same command again"
            ) from error

    def _append(self, logs: list[Log]) -> None:
        with self._path.open("ab") as file:
            begins, lines = file.tell(), bytearray()
            for log in logs:
                lines += json.dumps({**log, _PLACE: begins + len(lines)}, separators=(",", ":")).encode() + b"\n"
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def batch(self, next_trial: int) -> Iterator[None]:
        """Collect appended lines, and write them at the end, also after an error: the study in memory has them.

        next_trial: id that Optuna gives to the next trial.
        """
        self._batch = []
        try:
            yield
        finally:
            logs, self._batch = self._batch, None
            if logs:
                self._write(merged(logs, next_trial))
                # Without this offset the next read would scan the file from its beginning.
                self._log_number_offset[self._written + len(logs)] = self._path.stat().st_size


def merged(logs: list[Log], created: int) -> list[Log]:
    """The lines of a batch, with those on a new trial's parameters and attributes merged into the one that creates it.

    Optuna reads the merged line as a trial that was created with these parameters and attributes.

    Args:
        logs: the lines.
        created: id of the new trial.
    """
    first = next((log for log in logs if log["op_code"] == JournalOperation.CREATE_TRIAL), None)
    # The line of a queued trial contains them already.
    if first is None or "distributions" in first:
        return logs
    parts: dict[str, Log] = {"distributions": {}, "params": {}, "user_attrs": {}, "system_attrs": {}}
    whole, others = {**first, **parts}, []
    for log in logs:
        own = log.get("trial_id") == created
        if own and log["op_code"] == JournalOperation.SET_TRIAL_PARAM:
            parts["distributions"][log["param_name"]] = log["distribution"]
            parts["params"][log["param_name"]] = log["param_value_internal"]
        elif own and log["op_code"] == JournalOperation.SET_TRIAL_USER_ATTR:
            parts["user_attrs"] |= log["user_attr"]
        elif own and log["op_code"] == JournalOperation.SET_TRIAL_SYSTEM_ATTR:
            parts["system_attrs"] |= log["system_attr"]
        else:
            others.append(whole if log is first else log)
    return others


@contextmanager
def one_batch(study: optuna.Study) -> Iterator[None]:
    """Write all that a block stores in the study as one batch at its end; without effect where it is no journal."""
    storage = study._storage
    backend = getattr(storage, "_backend", None)
    if isinstance(storage, SharingJournalStorage) and isinstance(backend, BatchedJournal):
        # Reads all earlier lines, so that the number of the batch's first line is known.
        storage.get_study_name_from_id(study._study_id)
        with backend.batch(storage.next_trial):
            yield
    else:
        yield
