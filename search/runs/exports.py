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
        agreement: fraction of its answers, classes of images or pixels, that are those of the Keras model; None where
            answers are no classes.
        max_difference: the largest of any output from the Keras model's.
        metric: the task's first one; None where nothing was measured.
        metric_gain: by how much it is above the Keras model's, on the same images.
        latency_ms: median of one image, from array to array, on one thread.
        latency_spread_ms: interquartile range of that.
    """

    format: str
    file: str
    bytes: int
    agreement: float | None
    max_difference: float
    metric: str | None
    metric_gain: float | None
    latency_ms: float
    latency_spread_ms: float


def write_exports(exports: Sequence[Export], path: Path) -> None:
    """Write the table as JSON, one object for each format.

    Raises:
        RunError: the file cannot be written.
    """
    write_whole(path, json.dumps([asdict(export) for export in exports], indent=1) + "\n")
