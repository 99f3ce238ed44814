"""The log of a run: a file of JSON lines for every worker, a line for every trial that it judged."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compress.errors import RunError
from search.driver.listeners.listener import Listener
from search.study.trial_record import TrialRecord

DRIVER_FILE = "driver.jsonl"
"""The file of warnings, and of trials that no worker judged."""


@dataclass(frozen=True)
class RunLog(Listener):
    """A listener that writes the log; in the driver, because workers may share no disk with it.

    Attributes:
        folder: of the files, created when the first line is written.
    """

    folder: Path

    def warned(self, line: str) -> None:
        """Write a warning."""
        self._write(DRIVER_FILE, {"warning": line})

    def settled(self, record: TrialRecord) -> None:
        """Write a line on a trial to the file of its worker.

        Raises:
            RunError: the file cannot be written.
        """
        name = DRIVER_FILE if record.worker is None else f"{record.worker.replace(':', '-')}.jsonl"
        self._write(name, line_of(record))

    def _write(self, name: str, fields: Mapping[str, Any]) -> None:
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **fields})
        path = self.folder / name
        try:
            self.folder.mkdir(exist_ok=True)
            with path.open("ab+") as file:
                file.seek(-1 if file.tell() else 0, os.SEEK_END)
                # A killed driver, or a full disk, may have left half a line.
                begins = "\n" if file.read(1) not in (b"", b"\n") else ""
                file.write(f"{begins}{line}\n".encode())
        except OSError as error:
            raise RunError(
                f"the log '{path}' cannot be written ({error.strerror}); make room, and run the same command again"
            ) from error


def line_of(record: TrialRecord) -> dict[str, Any]:
    """The entries of a trial's line; those without a value are left out."""
    score = {} if record.score is None else record.score.figures
    entries: dict[str, Any] = {
        "trial": record.number,
        "state": record.state,
        "stage": record.stage,
        "start": record.start,
        "steps": record.steps,
        **score,
        "flops": record.cost.flops,
        "params": record.cost.params,
        "seconds": record.seconds,
        "repeats": record.repeats,
        "error": record.error,
        "lost_workers": list(record.lost) or None,
    }
    return {name: value for name, value in entries.items() if value is not None}


def run_warnings(folder: Path) -> list[tuple[str, str]]:
    """Time (UTC, ISO 8601) and text of every warning in a run's log; empty without a log.

    folder: of the log's files.
    """
    path = folder / DRIVER_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    entries = [entry for line in lines if (entry := _entry(line)) is not None]
    return [(entry["time"], entry["warning"]) for entry in entries if "warning" in entry]


def _entry(line: str) -> dict[str, Any] | None:
    """What a line holds; None of one that was cut, and may have another behind it."""
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return entry
