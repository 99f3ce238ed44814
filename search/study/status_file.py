"""The status file in a run's folder, from which ``tuckprune status`` reads without opening the study."""

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
    """Stores the standings of a run's studies, with a mark of the journal at that time.

    Attributes:
        folder: of the run.
    """

    folder: Path

    @property
    def mark(self) -> str | None:
        """Length of the journal and digest of its end, which change with every line; None without a journal."""
        path = self.folder / JOURNAL_FILE
        if not path.exists():
            return None
        with path.open("rb") as file:
            length = file.seek(0, 2)
            file.seek(max(0, length - _END))
            return f"{length} {sha256(file.read()).hexdigest()}"

    def write(self, standings: Mapping[str, Standing]) -> None:
        """Replace the file.

        standings: by the name of the study.

        Raises:
            RunError: the file cannot be written.
        """
        studies = {name: standing.stored() for name, standing in standings.items()}
        document = {"written": time.time(), "mark": self.mark, "studies": studies}
        write_whole(self.folder / _FILE, json.dumps(document, indent=1) + "\n")

    def read(self, names: Sequence[str], driver: bool) -> tuple[list[Standing], float] | None:
        """The standings of these studies and their age in seconds; None where the studies themselves must be read.

        They are valid while the journal has not changed, age 0; and for a minute while a driver is at work, which
        rewrites the file every second.

        Args:
            names: of the studies.
            driver: whether a process holds the run.
        """
        try:
            document = json.loads((self.folder / _FILE).read_text(encoding="utf-8"))
            standings = [Standing.restored(document["studies"][name]) for name in names]
            mark, age = document["mark"], time.time() - document["written"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # No file, or one of another version.
            return None
        if mark is not None and mark == self.mark:
            return standings, 0.0
        return (standings, max(0.0, age)) if driver and abs(age) < _OLDEST else None
