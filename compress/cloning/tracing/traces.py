"""Traces of all layers of a model that can be replaced by what they call, and the reasons of those that cannot."""

from collections.abc import Iterator
from typing import Any

import keras

from compress.cloning.functional import is_nested, plain_functional
from compress.cloning.nodes import Arguments, arguments_of, nodes_of
from compress.cloning.tracing.proof import NotTraced
from compress.cloning.tracing.trace import trace
from compress.cloning.user_rules import has_rule

_REASON = "_not_traced_because"
"""Attribute of layers: once refused, always refused, also as a copy."""


def why_whole(layer: Any) -> str | None:
    """Why a layer was not replaced by what it calls, a clause about it, or None where nobody tried."""
    reason = vars(layer).get(_REASON)
    return None if reason is None else str(reason)


def keep_whole(layer: Any, reason: str | None) -> None:
    """Have a layer never be replaced by what it calls, for a reason; None changes nothing."""
    if reason is not None:
        vars(layer)[_REASON] = reason


class Traces:
    """The traces of one model, each made once for every layer and the shapes that it is called with.

    A layer is replaced at all its calls or at none, so that they go on sharing its weights.

    Attributes:
        outdated: whether a layer has been refused only after others were told that it was not.
    """

    def __init__(self, graph: Any) -> None:
        self._traces: dict[tuple[int, str], Any] = {}
        self._survey(graph)
        self.outdated = False
        while shared := next(_shared_weights(self._leaves(graph, None)), None):
            layer, reason = shared
            keep_whole(layer, reason)

    def graph_of(self, layer: Any, arguments: Arguments) -> Any:
        """The graph of a call of a layer or nested model, or None where it stays one."""
        nested = is_nested(layer)
        if not nested and (_is_atom(layer) or why_whole(layer) is not None):
            return None
        key = id(layer), "" if nested else str(keras.tree.map_structure(_spec, arguments))
        if key not in self._traces:
            try:
                self._traces[key] = plain_functional(layer) if nested else trace(layer, arguments)
            except NotTraced as error:
                keep_whole(layer, str(error))
                self.outdated = True
                return None
        return self._traces[key]

    def _survey(self, graph: Any) -> None:
        """Try every layer once, so that what is refused at one call is known at all."""
        for _, inner in self._calls(graph):
            if inner is not None:
                self._survey(inner)

    def _calls(self, graph: Any) -> Iterator[tuple[Any, Any]]:
        """Every layer that a graph calls with the graph of its call, or with None for one that stays one."""
        for node in nodes_of(graph):
            if not node.is_input:
                yield node.operation, self.graph_of(node.operation, arguments_of(node))

    def _leaves(self, graph: Any, composite: Any) -> Iterator[tuple[Any, Any]]:
        """Every layer that stays one, with the outermost layer that is replaced by it and others, or None."""
        for layer, inner in self._calls(graph):
            if inner is None:
                yield layer, composite
            else:
                yield from self._leaves(inner, composite if composite is not None or is_nested(layer) else layer)


def _is_atom(layer: Any) -> bool:
    """Whether a layer or operation stays one: it has a rule of the user's own, or it is Keras's and no Lambda."""
    kind = type(layer)
    keras_has_it = not isinstance(layer, keras.Layer) or kind.__module__.startswith("keras.")
    return has_rule(layer) or (keras_has_it and kind is not keras.layers.Lambda)


def _shared_weights(leaves: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, str]]:
    """Replaced layers of which a weight would come into two layers, with the reason not to replace them."""
    owners: dict[int, tuple[Any, Any]] = {}
    for leaf, composite in leaves:
        for weight in getattr(leaf, "weights", ()):
            other, its_composite = owners.setdefault(id(weight), (leaf, composite))
            replaced = composite if composite is not None else its_composite
            if other is not leaf and replaced is not None:
                yield replaced, f"a part of it, '{leaf.name}', shares weights with '{other.name}'"


def _spec(item: Any) -> Any:
    """What a trace depends on: shape and type of a tensor, the identity of anything else."""
    return (item.shape[1:], item.dtype) if isinstance(item, keras.KerasTensor) else id(item)
