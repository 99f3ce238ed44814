"""A channel graph as JSON text, which is read without Keras and without the model."""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from compress.graph.channel_graph import ChannelGraph


def dumps(graph: ChannelGraph) -> str:
    """Write a graph; labels that count up are written as their first one and their number."""
    return json.dumps(_plain(graph), separators=(",", ":"))


def loads(text: str) -> ChannelGraph:
    """Read what ``dumps`` has written.

    Raises:
        ValueError, TypeError, KeyError: another text, or a graph as another version of this class wrote it.
    """
    graph: ChannelGraph = _restored(ChannelGraph, json.loads(text))
    return graph


def _plain(value: Any) -> Any:
    """A field's value, or a whole dataclass, of types that JSON has."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return _runs(value) if isinstance(value, np.ndarray) else value


def _runs(labels: NDArray[np.int64]) -> list[list[int]]:
    """Labels as stretches that count up: [first, number] of each, in order."""
    starts = np.flatnonzero(np.diff(labels, prepend=labels[:1] - 2) != 1)
    counts = np.diff(starts, append=labels.size)
    return [[int(first), int(count)] for first, count in zip(labels[starts], counts, strict=True)]


def _labels(runs: list[list[int]]) -> NDArray[np.int64]:
    stretches = [np.arange(first, first + count, dtype=np.int64) for first, count in runs]
    return np.concatenate(stretches) if stretches else np.empty(0, np.int64)


def _restored(hint: Any, value: Any) -> Any:
    """The value of a type hint of the graph's classes: dataclasses, tuples, labels, ``... | None`` and plain types."""
    if value is None:
        return None
    if isinstance(hint, type) and is_dataclass(hint):
        hints = _hints(hint)
        return hint(**{name: _restored(hints[name], part) for name, part in value.items()})
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _restored(next(one for one in arguments if one is not type(None)), value)
    if origin is tuple:
        return tuple(_restored(arguments[0], part) for part in value)
    return _labels(value) if origin is np.ndarray else value


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
