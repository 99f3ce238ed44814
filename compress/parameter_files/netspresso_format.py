"""NetsPresso's own parameter files: one ``layers`` list for pruning (PR_L2) and one for Tucker decomposition (FD_TK).

Every entry is ``{"name": str, "values": list, "use": bool, "channels": list}``. A ratio is one float in (0, 1); ranks
are two whole numbers of at most ``channels``, both in (in, out) order; what is not compressed has no values and is not
used. Accepted by PyNetsPresso's CompressionParamsValidator.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compress.errors import ParameterError, excerpt
from compress.parameter_files.format import FileFormat, ParameterFile, WrittenFile
from compress.parameter_files.json_format import parsed_object
from compress.parameters import DECOMPOSE, PRUNE, CompressionParameters, checked_ranks, checked_ratio

PRUNING, DECOMPOSITION = "PR_L2", "FD_TK"

_RATIO_METHODS = (PRUNING, "PR_GM", "PR_NN")
_METHODS = (*_RATIO_METHODS, DECOMPOSITION)


def is_netspresso(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is one of NetsPresso's and not tuckprune's own."""
    return "layers" in document and "format" not in document


def dump_ratios(ratios: Mapping[str, float], channels: Mapping[str, int]) -> str:
    """Write a PR_L2 file: every group that pruning finds, those with a ratio above zero in use.

    Raises:
        ParameterError: a ratio of a group without channels.
    """
    values = {name: [float(ratio)] for name, ratio in ratios.items() if ratio > 0}
    return _dump(PRUNING, values, {name: [count] for name, count in channels.items()})


def dump_ranks(ranks: Mapping[str, tuple[int, int]], channels: Mapping[str, tuple[int, int]]) -> str:
    """Write an FD_TK file: every layer that decomposition finds, with (in, out) channels, those with ranks in use.

    Raises:
        ParameterError: ranks of a layer without channels.
    """
    values = {name: list(pair) for name, pair in ranks.items()}
    return _dump(DECOMPOSITION, values, {name: list(pair) for name, pair in channels.items()})


def load(document: Mapping[str, Any]) -> CompressionParameters:
    """The parameters of a JSON object with a ``layers`` list; entries without values or not in use are left out.

    The method is read from ``compression_method``, or else from the number of values of each entry.
    Raises ParameterError for another method, a malformed entry, a repeated name, or a value out of range.
    """
    method = document.get("compression_method")
    if method is not None and method not in _METHODS:
        raise ParameterError(
            f"expected a compression_method of {', '.join(_METHODS)}, received {excerpt(method)}; export one of those"
        )
    ratios: dict[str, float] = {}
    ranks: dict[str, tuple[int, int]] = {}
    for name, values, channels in _entries(document["layers"]):
        if method in _RATIO_METHODS or (method is None and len(values) == 1):
            ratios[name] = _ratio(name, values)
        else:
            ranks[name] = _ranks(name, values, channels)
    return CompressionParameters(ratios, ranks)


def _dump(method: str, values: Mapping[str, list[Any]], channels: Mapping[str, list[int]]) -> str:
    unknown = [name for name in values if name not in channels]
    if unknown:
        raise ParameterError(
            f"{unknown[0]!r}: expected a layer of the model that {method} is applied to; use another name"
        )
    layers = [
        {"name": name, "values": values.get(name, []), "use": name in values, "channels": count}
        for name, count in channels.items()
    ]
    return json.dumps({"compression_method": method, "layers": layers}, indent=2) + "\n"


def _entries(layers: object) -> Iterator[tuple[str, list[Any], list[Any]]]:
    if not isinstance(layers, list):
        raise ParameterError(f"expected a list as layers, received {excerpt(layers)}; correct it")
    seen: set[str] = set()
    for entry in layers:
        name, values, channels = _checked(entry)
        if name in seen:
            raise ParameterError(f"{name!r}: expected one entry, received two; remove one of them")
        seen.add(name)
        # PyNetsPresso itself marks an entry as used exactly when it has values.
        if values and entry.get("use", True):
            yield name, values, channels


def _checked(entry: object) -> tuple[str, list[Any], list[Any]]:
    fields: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    name, values, channels = fields.get("name"), fields.get("values", []), fields.get("channels", [])
    known = isinstance(name, str) and isinstance(values, list) and isinstance(channels, list)
    if not known or not isinstance(fields.get("use", True), bool):
        raise ParameterError(
            "expected layers of the form {'name': str, 'values': list, 'use': bool, 'channels': list}, "
            f"received {excerpt(entry)}; correct it"
        )
    return str(name), values, channels


def _ratio(name: str, values: Sequence[Any]) -> float:
    if len(values) != 1 or checked_ratio(name, values[0]) == 0:
        raise ParameterError(f"{name!r}: expected one ratio in (0, 1), received {excerpt(values)}; correct it")
    return float(values[0])


def _ranks(name: str, values: Sequence[Any], channels: Sequence[Any]) -> tuple[int, int]:
    pair = checked_ranks(name, values)
    if len(channels) != 2 or any(isinstance(limit, bool) or not isinstance(limit, int) for limit in channels):
        raise ParameterError(
            f"{name!r}: expected the layer's [in, out] channels, received {excerpt(channels)}; give both"
        )
    if any(rank > limit for rank, limit in zip(pair, channels, strict=True)):
        raise ParameterError(
            f"{name!r}: expected ranks of at most its channels {excerpt(channels)}, received {excerpt(values)}; "
            "lower them"
        )
    return pair


FORMAT = FileFormat(
    suffix=".json",
    read=lambda text: ParameterFile(load(parsed_object(text))),
    files={
        f"netspresso-{PRUNING}.json": WrittenFile(
            "its ratios for NetsPresso's compressor",
            lambda contents: dump_ratios(contents.parameters.ratios, contents.staged.groups),
            PRUNE,
        ),
        f"netspresso-{DECOMPOSITION}.json": WrittenFile(
            "its ranks for NetsPresso's compressor",
            lambda contents: dump_ranks(contents.parameters.ranks, contents.staged.layers),
            DECOMPOSE,
        ),
    },
    recognizes=lambda text: is_netspresso(parsed_object(text)),
)
