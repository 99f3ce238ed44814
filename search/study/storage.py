"""The study of a run: an Optuna journal or SQLite file in its folder, or on a server; only the driver writes to it."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from compress.errors import RunError, typed_line
from configs.schema.storage import is_server
from search.study.journal import BatchedJournal
from search.study.server import Server
from search.study.shared_replay import SharingJournalStorage
from search.study.trial_record import BEGUN, PROPOSED

JOURNAL_FILE, SQLITE_FILE = "study.journal", "study.sqlite3"
FILES: Mapping[str, str] = MappingProxyType({"journal": JOURNAL_FILE, "sqlite": SQLITE_FILE})
"""Name of the study's file by the kind of storage."""

_CHUNK = 1 << 16


@contextmanager
def opened_study(folder: Path, name: str, storage: str, front: bool = False) -> Iterator[optuna.Study]:
    """The run's study to write to, wherever it is; for the one driver that holds the run's lock.

    On a server another driver may have another run folder: there the study itself is locked too, to the end of the
    context.

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
    with Server.of(storage).writer(name) as opened:
        yield _created(opened, name, front)


def open_study(folder: Path, name: str, kind: str, front: bool = False) -> optuna.Study:
    """The study in the run's folder to write to, created where it does not exist yet.

    What a killed driver left broken is mended: half a last line, its lock on the journal, its running trials.

    Args:
        folder: the run's.
        name: of the study.
        kind: of the file, a key of ``FILES``.
        front: whether trials have a second value, to be minimized: the limit that they were allowed.

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
        return Server.of(storage).has_study(name)
    return any((folder / file).exists() for file in FILES.values())


def find_study(folder: Path, name: str, storage: str = "journal") -> optuna.Study:
    """The study of an existing run, to read; a driver may be writing to it.

    Args:
        folder: the run's.
        name: of the study.
        storage: as configured; of files the one that is there is read.

    Raises:
        TuckpruneError: there is no such study, or it cannot be read.
    """
    if is_server(storage):
        return _on_server(storage, name)
    holder = find_storage(folder, storage)
    with _readable(folder):
        return optuna.load_study(storage=holder, study_name=name)


def find_storage(folder: Path, storage: str) -> BaseStorage:
    """What holds the study of an existing run, to read; arguments as in ``find_study``.

    Raises:
        TuckpruneError: there is none, or it cannot be read.
    """
    if is_server(storage):
        return Server.of(storage).reader()
    for kind, file in FILES.items():
        if (folder / file).exists():
            with _readable(folder):
                return _file_storage(folder, kind)
    raise RunError(f"'{folder}' holds no study (expected {' or '.join(FILES.values())}); run 'tuckprune search' first")


def requeue_running(study: optuna.Study, ahead: Collection[int] = ()) -> None:
    """Put running trials back into the queue as they are: the next to be asked for, with their number and proposal.

    One write per trial, so a kill leaves each either running or queued. A trial that was failed and queued anew would
    come after the others, and the sampler, which minds the order, would go on differently than without interruption.
    It keeps the time of its proposal, which Optuna forgets as it begins anew.

    ahead: numbers of those that no worker has had; the others will be judged, even by a search that has ended early.
    """
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if PROPOSED not in frozen.user_attrs and frozen.datetime_start is not None:
            study._storage.set_trial_user_attr(frozen._trial_id, PROPOSED, frozen.datetime_start.isoformat())
        if BEGUN not in frozen.user_attrs and frozen.number not in ahead:
            study._storage.set_trial_user_attr(frozen._trial_id, BEGUN, True)
        study._storage.set_trial_state_values(frozen._trial_id, state=TrialState.WAITING)


def _created(storage: BaseStorage, name: str, front: bool) -> optuna.Study:
    directions = [StudyDirection.MAXIMIZE, *([StudyDirection.MINIMIZE] if front else [])]
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    requeue_running(study)
    return study


def _on_server(storage: str, name: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    server = Server.of(storage)
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
    except Exception as error:  # SQLAlchemy, JSON and the operating system each raise their own for a bad file.
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
    """A killed driver may leave half a line, which would make the file unreadable after the next append."""
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
