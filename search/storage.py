"""The study in the run folder: an Optuna journal or SQLite file that only the driver opens."""

import os
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from compress.errors import RunError
from search.trial_record import ERROR, REQUEUED, REQUEUED_FROM, START

JOURNAL_FILE, SQLITE_FILE = "study.journal", "study.sqlite3"


def open_study(folder: Path, name: str, kind: str) -> optuna.Study:
    """The run's study, created where it does not exist yet.

    Raises:
        RunError: the file cannot be read or written.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = _storage(folder, kind)
        return optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    except Exception as error:  # SQLAlchemy, JSON and the operating system each raise their own for a bad file.
        text = " ".join(str(error).split())[:200]
        raise RunError(f"the study in '{folder}' cannot be opened: {text} ({type(error).__name__})") from error


def find_study(folder: Path, name: str) -> optuna.Study:
    """The study of an existing run.

    Raises:
        RunError: the folder holds no study, or it cannot be read.
    """
    kinds = {"journal": JOURNAL_FILE, "sqlite": SQLITE_FILE}
    for kind, file in kinds.items():
        if (folder / file).exists():
            return open_study(folder, name, kind)
    raise RunError(
        f"'{folder}' holds no study (expected {JOURNAL_FILE} or {SQLITE_FILE}); run 'tuckprune search' first"
    )


def requeue_running(study: optuna.Study) -> int:
    """Fail the trials that a stopped driver left running and queue their proposals again; returns how many."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for frozen in running:
        requeue(study, frozen.number)
    return len(running)


def requeue(study: optuna.Study, number: int) -> None:
    """Give up a running trial and queue its proposal again under a new number; safe to repeat after a kill."""
    trials = study.get_trials(deepcopy=False)
    frozen = trials[number]
    if not any(trial.user_attrs.get(REQUEUED_FROM) == number for trial in trials):
        proposal = {**frozen.system_attrs.get("fixed_params", {}), **frozen.params}
        kept = {START: frozen.user_attrs[START]} if START in frozen.user_attrs else {}
        study.enqueue_trial(proposal, user_attrs={**kept, REQUEUED_FROM: number})
    trial = optuna.Trial(study, frozen._trial_id)
    trial.set_user_attr(REQUEUED, True)
    trial.set_user_attr(ERROR, "interrupted; queued again")
    study.tell(number, state=TrialState.FAIL)


def _storage(folder: Path, kind: str) -> BaseStorage:
    if kind == "sqlite":
        return RDBStorage(f"sqlite:///{folder / SQLITE_FILE}")
    path = folder / JOURNAL_FILE
    _drop_torn_line(path)
    # One driver writes at a time (the run's lock): a lock file left by a killed one is stale.
    Path(f"{path}.lock").unlink(missing_ok=True)
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
