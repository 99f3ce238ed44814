"""The JSON form of compression parameters, with the channels of the model that they were made for.

Version 2: ``{"format": "tuckprune", "version": 2, "model": {"groups": {}, "layers": {}}, "ratios": {}, "ranks": {}}``;
``"model"`` may be null. Version 1 had no ``"model"`` and is still read.
"""

import json
from collections.abc import Sequence
from typing import Any

from compress.errors import ParameterError, excerpt
from compress.graph.model_channels import ModelChannels
from compress.parameter_files.format import FileFormat, ParameterFile, WrittenFile
from compress.parameters import CompressionParameters


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


NAME = "tuckprune"
VERSION = 2

_KEYS = ("format", "version", "model", "ratios", "ranks")
_KEYS_OF_VERSION_1 = ("format", "version", "ratios", "ranks")


def dumps(parameters: CompressionParameters, made_for: ModelChannels | None = None) -> str:
    """Write the parameters as an indented JSON object; floats round-trip exactly."""
    document = {
        "format": NAME,
        "version": VERSION,
        "model": None if made_for is None else {"groups": dict(made_for.groups), "layers": _lists(made_for.layers)},
        "ratios": dict(parameters.ratios),
        "ranks": _lists(parameters.ranks),
    }
    return json.dumps(document, indent=2) + "\n"


def loads(text: str) -> ParameterFile:
    """Read what `dumps` writes, or wrote in version 1.

    Raises ParameterError for invalid JSON and whatever `load` refuses.
    """
    return load(parsed_object(text))


def load(document: dict[str, Any]) -> ParameterFile:
    """The parameters of a JSON object.

    Raises ParameterError for missing or unknown keys, another format or version, and values that
    CompressionParameters rejects.
    """
    version = document.get("version")
    if version == 1 and not isinstance(version, bool):
        check_keys(document, _KEYS_OF_VERSION_1)
        document = {**document, "model": None}
    check_keys(document, _KEYS)
    if document["format"] != NAME or isinstance(version, bool) or version not in (1, VERSION):
        raise ParameterError(
            f"expected format {NAME!r} version 1 or {VERSION}, "
            f"received {excerpt(document['format'])} version {excerpt(version)}; export the parameters again"
        )
    return ParameterFile(CompressionParameters(document["ratios"], document["ranks"]), _model(document["model"]))


def _lists(pairs: Any) -> dict[str, list[int]]:
    return {name: list(pair) for name, pair in pairs.items()}


def _model(document: object) -> ModelChannels | None:
    if document is None:
        return None
    if not isinstance(document, dict) or not all(isinstance(document.get(key), dict) for key in ("groups", "layers")):
        raise ParameterError(
            f"expected null or {{'groups': {{}}, 'layers': {{}}}} as model, received {excerpt(document)}; correct it"
        )
    groups = {name: _channels(name, count) for name, count in document["groups"].items()}
    return ModelChannels(groups, {name: _pair(name, pair) for name, pair in document["layers"].items()})


def _pair(name: str, pair: object) -> tuple[int, int]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ParameterError(f"{name!r}: expected [in channels, out channels], received {excerpt(pair)}; correct it")
    return _channels(name, pair[0]), _channels(name, pair[1])


def _channels(name: str, count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ParameterError(f"{name!r}: expected channels, a whole number >= 1, received {excerpt(count)}; correct it")
    return count


JSON_FILE = "parameters.json"

FORMAT = FileFormat(
    suffix=".json",
    read=loads,
    files={
        JSON_FILE: WrittenFile(
            "ratios and ranks of the winner, for tuckprune compress",
            lambda contents: dumps(contents.parameters, contents.original),
        )
    },
)
