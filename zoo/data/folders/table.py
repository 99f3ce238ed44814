"""A folder of images with a table: `labels.csv` names a file in each row, and the numbers that belong to it."""

import csv
from pathlib import Path

import numpy as np

from compress.errors import DataError, typed_line
from zoo.data.dataset import Split
from zoo.data.decoding import Decoding
from zoo.data.file_images import files_or_pixels
from zoo.data.folders.parts import part_folders
from zoo.data.source import SourceData, Wanted
from zoo.tasks.task import Array

TABLE, FILE = "labels.csv", "file"


def table(wanted: Wanted) -> SourceData:
    """Images with a row of numbers each: `<part>/labels.csv`, or one `labels.csv` for the whole folder.

    The first column is called ``file`` and holds paths relative to the table; every other column is a number, or a
    class that the image has (1) or has not (0).

    Raises:
        DataError: a table that is missing or malformed, with the line, or images that cannot be decoded.
    """
    parts = part_folders(wanted.path)
    splits, columns = {}, None
    for part, folder in parts.items():
        paths, numbers, head = _rows(folder / TABLE)
        if columns not in (None, head):
            raise DataError(
                f"expected the columns {', '.join(columns or ())} in {folder / TABLE}, as in training, "
                f"received {', '.join(head)}"
            )
        columns = head
        images = files_or_pixels(paths, Decoding(wanted.image_size, wanted.exif_orientation), wanted.in_memory)
        splits[part] = Split(images, wanted.task.targets(numbers, str(folder / TABLE)))
    return SourceData(
        wanted.path.resolve().name, splits["train"], splits.get("test"), validation=splits.get("validation")
    )


def _rows(path: Path) -> tuple[list[Path], Array, tuple[str, ...]]:
    """Files, their numbers (N, columns), and the names of the columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"expected a readable table at {path}, received {typed_line(error)}") from error
    if len(rows) < 2 or len(rows[0]) < 2 or rows[0][0] != FILE:
        received = ", ".join(rows[0]) if rows else "nothing"
        raise DataError(
            f"expected a column '{FILE}' and one or more of numbers, and rows, in {path}, received {received}"
        )
    files, numbers = [], []
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        files.append(path.parent / row[0])
        numbers.append(_numbers(row[1:], len(rows[0]) - 1, f"line {line} of {path}"))
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise DataError(f"expected the files that {path} names, received none at {', '.join(missing[:10])}")
    return files, np.array(numbers, np.float64), tuple(rows[0][1:])


def _numbers(cells: list[str], count: int, where: str) -> list[float]:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError as error:
        raise DataError(f"expected numbers in {where}, received {typed_line(error)}") from error
    if len(numbers) != count:
        raise DataError(f"expected {count} numbers in {where}, as the columns say, received {len(numbers)}")
    return numbers
