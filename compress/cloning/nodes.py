"""Calls of layers as Keras keeps them: nodes of a graph, and the arguments of each."""

from collections.abc import Iterator
from typing import Any

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of a call."""


def nodes_of(graph: Any) -> Iterator[Any]:
    """Keras's node of every call in a functional model or ``keras.Function``, producers before consumers."""
    # Keras keeps the call graph only in this attribute; clone_model itself walks it.
    by_depth = graph._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def arguments_of(node: Any) -> Arguments:
    """What a node's layer is called with; tensors are symbolic."""
    return node.arguments.args, node.arguments.kwargs
