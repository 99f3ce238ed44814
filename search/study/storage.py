"""The study of a run: an Optuna journal or SQLite file in its folder, or on a server; only the driver writes to it."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from compress.errors import RunError, typed_line
from configs.schema.storage import is_server
from search.study.journal import BatchedJournal
from search.study.shared_replay import SharingJournalStorage
from search.study.trial_record import BEGUN, PROPOSED

if TYPE_CHECKING:
    from search.study.server import Server

JOURNAL_FILE, SQLITE_FILE = "study.journal", "study.sqlite3"
FILES: Mapping[str, str] = MappingProxyType({"journal": JOURNAL_FILE, "sqlite": SQLITE_FILE})
"""Name of the study's file by the kind of storage."""

_CHUNK = 1 << 16


@contextmanager
def opened_study(folder: Path, name: str, storage: str, front: bool = False) -> Iterator[optuna.Study]:
    """A run's study for writing, in its folder or on a server; for the driver that holds the run folder.

    Drivers with other run folders may use the same server: there the study itself is locked to the end of the context.

    Args:
        folder: the run's.
        name: of the study.
        storage: as configured: a key of ``FILES``, or a URL.
        front: as in ``open_study``.

    Raises:
        TuckpruneError: the file or the server cannot be used, or another process writes to the study.
    """
    if not is_server(storage):
        yield open_study(folder, name, storage, front)
        return
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _server(storage).writer(name) as opened:
        yield _created(opened, name, front)


def open_study(folder: Path, name: str, kind: str, front: bool = False) -> optuna.Study:
    """A study in a run's folder for writing, created where it does not exist yet.

    Traces of a killed driver are repaired: an incomplete last line, its lock on the journal, its running trials.

    Args:
        folder: the run's.
        name: of the study.
        kind: of the file, a key of ``FILES``.
        front: whether trials have a second value, to be minimized: the limit of the level that they belong to.

    Raises:
        RunError: the file cannot be read or written.
    """
    with _readable(folder):
        if kind == "journal":
            path = folder / JOURNAL_FILE
            _drop_torn_line(path)
            Path(f"{path}.lock").unlink(missing_ok=True)
        return _created(_file_storage(folder, kind), name, front)


def has_study(folder: Path, name: str, storage: str) -> bool:
    """Whether a search was started before: in this folder, or where the storage is a server, under this name.

    Raises:
        TuckpruneError: the server cannot be asked.
    """
    if is_server(storage):
        return _server(storage).has_study(name)
    return any((folder / file).exists() for file in FILES.values())


def find_study(folder: Path, name: str, storage: str = "journal") -> optuna.Study:
    """The study of an existing run, for reading; a driver may be writing to it.

    Args:
        folder: the run's.
        name: of the study.
        storage: as configured; instead of the configured kind of file, the one that exists is read.

    Raises:
        TuckpruneError: there is no such study, or it cannot be read.
    """
    if is_server(storage):
        return _on_server(storage, name)
    opened = find_storage(folder, storage)
    with _readable(folder):
        return optuna.load_study(storage=opened, study_name=name)


def find_storage(folder: Path, storage: str) -> BaseStorage:
    """Optuna's storage of an existing run, for reading.

    Args:
        folder: the run's.
        storage: as configured; instead of the configured kind of file, the one that exists is read.

    Raises:
        TuckpruneError: there is no study, or it cannot be read.
    """
    if is_server(storage):
        return _server(storage).reader()
    for kind, file in FILES.items():
        if (folder / file).exists():
            with _readable(folder):
                return _file_storage(folder, kind)
    raise RunError(f"'{folder}' holds no study (expected {' or '.join(FILES.values())}); run 'tuckprune search' first")


def requeue_running(study: optuna.Study, unstarted: Collection[int] = ()) -> None:
    """Put running trials back into the study's queue with their numbers and proposals: they are asked for next.

    One write per trial, so that a kill leaves each either running or queued. A new trial with the same proposal would
    come after the others, and the sampler would go on differently than without an interruption. The time of the
    proposal is kept as an attribute, because Optuna overwrites its own.

    Args:
        study: of the run.
        unstarted: numbers of the trials that no worker has begun; the others are judged even after an early end.
    """
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if PROPOSED not in frozen.user_attrs and frozen.datetime_start is not None:
            study._storage.set_trial_user_attr(frozen._trial_id, PROPOSED, frozen.datetime_start.isoformat())
        if BEGUN not in frozen.user_attrs and frozen.number not in unstarted:
            study._storage.set_trial_user_attr(frozen._trial_id, BEGUN, True)
        study._storage.set_trial_state_values(frozen._trial_id, state=TrialState.WAITING)


def _created(storage: BaseStorage, name: str, front: bool) -> optuna.Study:
    directions = [StudyDirection.MAXIMIZE, *([StudyDirection.MINIMIZE] if front else [])]
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    requeue_running(study)
    return study


def _server(storage: str) -> "Server":
    """The server of a URL; SQLAlchemy is loaded for it alone, as most runs have a journal."""
    from search.study.server import Server

    return Server.of(storage)


def _on_server(storage: str, name: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    server = _server(storage)
    if not server.has_study(name):
        raise RunError(f"'{server.place}' holds no study '{name}'; run 'tuckprune search' first")
    return optuna.load_study(storage=server.reader(), study_name=name)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    except RunError:
        raise
    except Exception as error:  # SQLAlchemy, JSON and the operating system raise errors of their own for a bad file.
        raise RunError(
            f"the study in '{folder}' cannot be opened: {typed_line(error, 200)}; "
            "restore the file, or start a run of another name:"
        ) from error


def _file_storage(folder: Path, kind: str) -> BaseStorage:
    path = folder / FILES[kind]
    if kind == "sqlite":
        return RDBStorage(f"sqlite:///{path}")
    return SharingJournalStorage(BatchedJournal(path))


def _drop_torn_line(path: Path) -> None:
    """Cut off an incomplete last line, which a killed driver may leave: the next append would make it unreadable."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        length = end = file.seek(0, os.SEEK_END)
        while end > 0:
            begins = max(0, end - _CHUNK)
            file.seek(begins)
            newline = file.read(end - begins).rfind(b"\n")
            if newline >= 0:
                end = begins + newline + 1
                break
            end = begins
        if end < length:
            file.truncate(end)
            file.flush()
            os.fsync(file.fileno())
