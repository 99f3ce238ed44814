"""The study in the run folder: an Optuna journal or SQLite file that only the driver opens."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import TrialState

from compress.errors import RunError

JOURNAL_FILE, SQLITE_FILE = "study.journal", "study.sqlite3"
FILES: Mapping[str, str] = MappingProxyType({"journal": JOURNAL_FILE, "sqlite": SQLITE_FILE})
"""Name of the study's file by the kind of storage."""


def open_study(folder: Path, name: str, kind: str, front: bool = False) -> optuna.Study:
    """The run's study to write to, created where it does not exist yet; for the one driver that holds the run's lock.

    What a killed driver left broken is mended: half a last line, its lock on the journal, its running trials.

    Args:
        folder: the run's.
        name: of the study.
        kind: of the storage, a key of ``FILES``.
        front: whether trials have a second value, to be minimized: the limit that they were allowed.

    Raises:
        RunError: the file cannot be read or written.
    """
    with _readable(folder):
        if kind == "journal":
            path = folder / JOURNAL_FILE
            _drop_torn_line(path)
            Path(f"{path}.lock").unlink(missing_ok=True)
        directions = [StudyDirection.MAXIMIZE, *([StudyDirection.MINIMIZE] if front else [])]
        study = optuna.create_study(
            storage=_storage(folder, kind), study_name=name, directions=directions, load_if_exists=True
        )
        requeue_running(study)
        return study


def has_study(folder: Path) -> bool:
    """Whether a search was started in this folder before."""
    return any((folder / file).exists() for file in FILES.values())


def find_study(folder: Path, name: str) -> optuna.Study:
    """The study of an existing run, to read; a driver may be writing to it.

    Raises:
        RunError: the folder holds no study, or it cannot be read.
    """
    for kind, file in FILES.items():
        if (folder / file).exists():
            with _readable(folder):
                return optuna.load_study(storage=_storage(folder, kind), study_name=name)
    raise RunError(f"'{folder}' holds no study (expected {' or '.join(FILES.values())}); run 'tuckprune search' first")


def requeue_running(study: optuna.Study) -> None:
    """Put running trials back into the queue as they are: the next to be asked for, with their number and proposal.

    One write per trial, so a kill leaves each either running or queued. A trial that was failed and queued anew would
    come after the others, and the sampler, which minds the order, would go on differently than without interruption.
    """
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study._storage.set_trial_state_values(frozen._trial_id, state=TrialState.WAITING)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    except Exception as error:  # SQLAlchemy, JSON and the operating system each raise their own for a bad file.
        text = " ".join(str(error).split())[:200]
        raise RunError(
            f"the study in '{folder}' cannot be opened: {text} ({type(error).__name__}); "
            "restore the file, or start a run of another name:"
        ) from error


def _storage(folder: Path, kind: str) -> BaseStorage:
    path = folder / FILES[kind]
    if kind == "sqlite":
        return RDBStorage(f"sqlite:///{path}")
    return JournalStorage(JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))


def _drop_torn_line(path: Path) -> None:
    """A killed driver may leave half a line, which would make the file unreadable after the next append."""
    if not path.exists():
        return
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with path.open("r+b") as file:
            file.truncate(end)
            file.flush()
            os.fsync(file.fileno())
