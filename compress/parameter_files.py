"""Parameter files: compression parameters in a folder, as two text listings and one JSON file."""

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from compress import json_format, text_format
from compress.errors import ParameterError
from compress.parameters import CompressionParameters

RATIOS_FILE = "pruning.txt"
RANKS_FILE = "ranks.txt"
JSON_FILE = "parameters.json"


def read_parameters(paths: Sequence[Path]) -> CompressionParameters:
    """Read and merge parameter files: `.json` as JSON, every other suffix as the text listing.

    Raises ParameterError, naming the file, where one is missing, unreadable or malformed, or contradicts another.
    """
    parameters = CompressionParameters.none()
    for path in paths:
        text = _read(path)
        try:
            loads = json_format.loads if path.suffix.lower() == ".json" else text_format.loads
            parameters = parameters.merged(loads(text))
        except ParameterError as error:
            raise ParameterError(f"{str(path)!r}: {error}") from None
    return parameters


def write_parameters(parameters: CompressionParameters, folder: Path) -> list[Path]:
    """Write pruning.txt (the ratios), ranks.txt (the rank pairs) and parameters.json (both) into `folder`.

    The folder is made if need be; each file appears whole or not at all. Returns the three paths.
    Raises ParameterError where the folder cannot be written.
    """
    contents = {
        RATIOS_FILE: text_format.dump_ratios(parameters.ratios),
        RANKS_FILE: text_format.dump_ranks(parameters.ranks),
        JSON_FILE: json_format.dumps(parameters),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            _replace(folder / name, text)
    except OSError as error:
        raise ParameterError(
            f"expected a writable folder for parameter files, received {str(folder)!r} ({error.strerror}); "
            "choose another or free it"
        ) from None
    return [folder / name for name in contents]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # editors may have added a byte order mark
    except OSError as error:
        reason = error.strerror
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: {error.reason}"
    raise ParameterError(f"expected a readable parameter file, received {str(path)!r} ({reason}); check the path")


def _replace(path: Path, text: str) -> None:
    """Write beside `path`, then rename over it. The name is unique across nodes that share the folder."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
