"""The table of a model's exported files as JSON: their size, agreement with the Keras model, and latency."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from compress.disk.whole_file import write_whole


@dataclass(frozen=True)
class Export:
    """One exported file, as measured after it was loaded back.

    Attributes:
        format: name of the format.
        file: path in the run folder.
        bytes: size on disk, of a folder the sum of its files.
        agreement: fraction of images or pixels with the same class as the Keras model; None for tasks without classes.
        max_difference: the largest absolute difference of any output from the Keras model's.
        metric: name of the task's first metric; None where nothing was measured.
        metric_gain: by how much the metric exceeds the Keras model's, on the same images.
        latency_ms: median latency of one image on one thread, in milliseconds, from array to array.
        latency_spread_ms: interquartile range of the latency, in milliseconds.
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
