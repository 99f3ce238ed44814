"""The JSON form of compression parameters: `{"format": "tuckprune", "version": 1, "ratios": {}, "ranks": {}}`."""

import json
from typing import Any

from compress.errors import ParameterError
from compress.excerpt import excerpt
from compress.parameters import CompressionParameters

FORMAT = "tuckprune"
VERSION = 1

_KEYS = ("format", "version", "ratios", "ranks")


def dumps(parameters: CompressionParameters) -> str:
    """Write the parameters as an indented JSON object; floats round-trip exactly."""
    ranks = {name: list(pair) for name, pair in parameters.ranks.items()}
    document = {"format": FORMAT, "version": VERSION, "ratios": dict(parameters.ratios), "ranks": ranks}
    return json.dumps(document, indent=2) + "\n"


def loads(text: str) -> CompressionParameters:
    """Read what `dumps` writes.

    Raises ParameterError for invalid JSON, repeated, missing or unknown keys, another format or version, and values
    that CompressionParameters rejects.
    """
    document = _parsed(text)
    _check_keys(document)
    version = document["version"]
    if document["format"] != FORMAT or isinstance(version, bool) or version != VERSION:
        raise ParameterError(
            f"expected format {FORMAT!r} version {VERSION}, "
            f"received {excerpt(document['format'])} version {excerpt(version)}; export the parameters again"
        )
    return CompressionParameters(document["ratios"], document["ranks"])


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"expected valid JSON, received {excerpt(text)} ({error}); correct it") from None
    if not isinstance(document, dict):
        raise ParameterError(f"expected a JSON object with keys {', '.join(_KEYS)}, received {excerpt(document)}")
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ParameterError(f"expected one value for {repeated!r}, received {names.count(repeated)}; keep one of them")
    return entries


def _check_keys(document: dict[str, Any]) -> None:
    missing = [key for key in _KEYS if key not in document]
    unknown = [key for key in document if key not in _KEYS]
    if missing or unknown:
        raise ParameterError(
            f"expected the keys {', '.join(_KEYS)}, received {excerpt(list(document))}: "
            f"add {excerpt(missing)}, remove {excerpt(unknown)}"
        )
