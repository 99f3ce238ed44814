"""The table of the formats that a compressed model was written in, where the run folder holds one."""

import json
from pathlib import Path

from compress.errors import RunError
from search.blocks import Table


def exports_table(path: Path) -> Table | None:
    """The table of an exports file, a list of objects whose keys are the headers; None where there is none.

    Raises:
        RunError: the file is not a list of such objects.
    """
    if not path.exists():
        return None
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        head = list(rows[0])
        cells = [[_cell(row[name]) for name in head] for row in rows]
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise RunError(f"exports file '{path}' cannot be read: {error}; delete it and export again") from error
    return Table([name.replace("_", " ").capitalize() for name in head], cells)


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str("" if value is None else value)
