"""Reads JSON text that people may have edited: what is wrong is told in one line."""

import json
from collections.abc import Sequence
from typing import Any

from compress.errors import ParameterError
from compress.excerpt import excerpt


def parsed_object(text: str) -> dict[str, Any]:
    """The JSON object in a text.

    Raises:
        ParameterError: invalid JSON, something other than an object, or a key that is given twice.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"expected valid JSON, received {excerpt(text)} ({error}); correct it") from None
    if not isinstance(document, dict):
        raise ParameterError(f"expected a JSON object, received {excerpt(document)}; correct it")
    return document


def check_keys(document: dict[str, Any], keys: Sequence[str]) -> None:
    """Refuse an object that lacks one of the keys or has others.

    Raises:
        ParameterError: names the keys to add and to remove.
    """
    missing = [key for key in keys if key not in document]
    unknown = [key for key in document if key not in keys]
    if missing or unknown:
        raise ParameterError(
            f"expected the keys {', '.join(keys)}, received {excerpt(list(document))}: "
            f"add {excerpt(missing)}, remove {excerpt(unknown)}"
        )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ParameterError(f"expected one value for {repeated!r}, received {names.count(repeated)}; keep one of them")
    return entries
