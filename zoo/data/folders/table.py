"""A folder of images with a table: `labels.csv` names a file in each row, and the numbers that belong to it."""

import csv
from io import StringIO
from pathlib import PurePath

import numpy as np

from compress.errors import DataError, typed_line
from zoo.data.dataset import Split
from zoo.data.files.file_array import decoded_bytes, loaded
from zoo.data.files.listing import absent
from zoo.data.files.paths import DataPath
from zoo.data.files.reading import content
from zoo.data.folders.parts import named, part_folders
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
    folders = part_folders(wanted.path, TABLE)
    rows = {part: _rows(folder / TABLE) for part, folder in folders.items()}
    columns = rows["train"][2]
    for part, (_, _, head) in rows.items():
        if head != columns:
            raise DataError(
                f"expected the columns {', '.join(columns)} in {folders[part] / TABLE}, as in training, "
                f"received {', '.join(head)}"
            )
    decoding = wanted.decoding
    in_files = sum(decoded_bytes(paths, decoding) for paths, _, _ in rows.values()) > wanted.decoded_at_once
    splits = {
        part: Split(
            loaded(paths, decoding, in_files=in_files), wanted.task.targets(numbers, str(folders[part] / TABLE))
        )
        for part, (paths, numbers, _) in rows.items()
    }
    return SourceData(wanted.name, splits["train"], splits.get("test"), validation=splits.get("validation"))


def _rows(path: DataPath) -> tuple[list[DataPath], Array, tuple[str, ...]]:
    """Files, their numbers (N, columns), and the names of the columns."""
    try:
        rows = list(csv.reader(StringIO(content(path).decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"expected a readable table at {path}, received {typed_line(error)}") from error
    if len(rows) < 2 or len(rows[0]) < 2 or rows[0][0] != FILE:
        received = ", ".join(rows[0]) if rows else "nothing"
        raise DataError(
            f"expected a column '{FILE}' and one or more of numbers, and rows, in {path}, received {received}"
        )
    files, numbers = [], []
    lines: dict[DataPath, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        files.append(path.parent / PurePath(row[0]).as_posix())
        if lines.setdefault(files[-1], line) != line:
            # Its rows would be divided among training, validation and test.
            raise DataError(
                f"expected each file in one row of {path}, received {row[0]} in lines {lines[files[-1]]} and {line}; "
                "write all that belongs to an image into one row"
            )
        numbers.append(_numbers(row[1:], len(rows[0]) - 1, f"line {line} of {path}"))
    missing = absent(files)
    if missing:
        raise DataError(f"expected the files that {path} names, received none at {named(missing)}")
    return files, np.array(numbers, np.float64), tuple(rows[0][1:])


def _numbers(cells: list[str], count: int, where: str) -> list[float]:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError as error:
        raise DataError(f"expected numbers in {where}, received {typed_line(error)}") from error
    if len(numbers) != count:
        raise DataError(f"expected {count} numbers in {where}, as the columns say, received {len(numbers)}")
    return numbers
