"""The exported files of a model: their size, agreement with the Keras model and latency, kept as a JSON table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from compress.disk.whole_file import write_whole


@dataclass(frozen=True)
class Export:
    """One exported file, as measured after it was loaded back.

    Attributes:
        format: its name.
        file: its path in the folder of the run.
        bytes: on disk, of all files where it is a folder.
        agreement: fraction of its answers that are those of the Keras model, as the task compares them: classes of
            images or pixels, or values.
        max_difference: the largest of any output from the Keras model's.
        latency_ms: median of one image, from array to array, on one thread.
        latency_spread_ms: interquartile range of that.
    """

    format: str
    file: str
    bytes: int
    agreement: float
    max_difference: float
    latency_ms: float
    latency_spread_ms: float


def write_exports(exports: Sequence[Export], path: Path) -> Path:
    """Write the table as JSON: one object a format; raises RunError where that fails."""
    write_whole(path, json.dumps([asdict(export) for export in exports], indent=1) + "\n")
    return path
