"""Ray processes that a killed driver left running: they are recorded, and killed when the next search starts."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Process:
    """A process of this machine, told by its time of creation from a later one with the same number.

    Attributes:
        pid: its number.
        created: its time of creation in seconds since 1970, as the system reports it.
    """

    pid: int
    created: float

    @property
    def running(self) -> psutil.Process | None:
        """The process as psutil's object; None where it has ended."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            return process if process.create_time() == self.created else None
        return None

    def kill(self) -> None:
        """End it, unless it has ended."""
        process = self.running
        if process is not None:
            with suppress(psutil.Error):
                process.kill()


def children() -> set[Process]:
    """All descendants of this process."""
    return set(_processes(psutil.Process().children(recursive=True)))


def _processes(given: Iterable[psutil.Process]) -> Iterator[Process]:
    for process in given:
        with suppress(psutil.Error):  # It has just ended.
            yield Process(process.pid, process.create_time())


@contextmanager
def recorded(processes: Iterable[Process]) -> Iterator[None]:
    """Keep a record of processes that must not outlive this one, until the context ends.

    Without a safe temporary folder nothing is recorded.
    """
    folder, driver = _own_folder(), Process(os.getpid(), psutil.Process().create_time())
    if folder is None:
        yield
        return
    record = folder / f"{driver.pid}.json"
    with suppress(OSError):
        record.write_text(json.dumps([asdict(one) for one in (driver, *processes)]), encoding="utf-8")
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def end_leftovers() -> None:
    """Kill the recorded processes of drivers of this user that are no longer running."""
    folder = _own_folder()
    for record in folder.glob("*.json") if folder is not None else ():
        processes = _read(record)
        if processes and processes[0].running is not None:
            continue
        for process in processes[1:]:
            process.kill()
        record.unlink(missing_ok=True)


def _read(record: Path) -> list[Process]:
    """The driver and then its processes, from a record; empty for a record that was not written completely."""
    try:
        return [Process(**fields) for fields in json.loads(record.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def _own_folder() -> Path | None:
    """The folder of this user's records; None where others may write to it: they could have any process killed."""
    folder = Path(tempfile.gettempdir()) / f"tuckprune-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    return folder if status.st_uid == os.getuid() and not status.st_mode & 0o022 and folder.is_dir() else None
