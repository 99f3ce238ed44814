"""The file in a run's folder by which ``status`` tells how a run stands, so that it need not read the study."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from compress.disk.whole_file import write_whole
from search.study.standing import Standing
from search.study.storage import JOURNAL_FILE

_FILE = "status.json"
_END, _OLDEST = 4096, 60.0


@dataclass(frozen=True)
class StatusFile:
    """The standings of a run's studies, with a mark of the journal that they were written for.

    Attributes:
        folder: of the run.
    """

    folder: Path

    @property
    def mark(self) -> str | None:
        """What changes with every line of the journal: its length, and a digest of its end; None without a journal."""
        path = self.folder / JOURNAL_FILE
        if not path.exists():
            return None
        with path.open("rb") as file:
            length = file.seek(0, 2)
            file.seek(max(0, length - _END))
            return f"{length} {sha256(file.read()).hexdigest()}"

    def write(self, standings: Mapping[str, Standing]) -> None:
        """Replace the file, whole.

        standings: by the name of the study.

        Raises:
            RunError: it cannot be written.
        """
        studies = {name: standing.stored() for name, standing in standings.items()}
        document = {"written": time.time(), "mark": self.mark, "studies": studies}
        write_whole(self.folder / _FILE, json.dumps(document, indent=1) + "\n")

    def read(self, names: Sequence[str], driver: bool) -> tuple[list[Standing], float] | None:
        """The standings of these studies, and how many seconds ago they were so; None where only the studies can tell.

        They hold where the journal is as it was then, and while a driver is at work, which writes the file every
        second, for a minute: what it has done since is not in it.

        driver: whether a process holds the run.
        """
        try:
            document = json.loads((self.folder / _FILE).read_text(encoding="utf-8"))
            standings = [Standing.restored(document["studies"][name]) for name in names]
            mark, age = document["mark"], time.time() - document["written"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # None, or not one that this version writes.
            return None
        if mark is not None and mark == self.mark:
            return standings, 0.0
        return (standings, max(0.0, age)) if driver and abs(age) < _OLDEST else None
