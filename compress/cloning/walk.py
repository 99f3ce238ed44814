"""Topological walk over the layer calls of a functional Keras model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from compress.cloning.functional import has_graph, plain_functional
from compress.cloning.inlining import inlined, traced_model
from compress.cloning.nodes import Arguments, arguments_of, nodes_of


@dataclass(frozen=True)
class Call:
    """One call of one layer or operation: the symbolic tensors it reads and writes, and all its arguments."""

    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    is_input: bool
    arguments: Arguments


def as_functional(model: Any) -> Any:
    """The model as a plain functional one without models inside, and without layers that hold others where possible.

    A Sequential or functional subclass is rewrapped around the same layers. A model that holds other models, or layers
    that can be replaced by what they call, becomes a flat copy with layers and weights of its own; the caller's keeps
    its own nodes. So does a subclassed model whose call can be traced.

    Raises:
        ModelError: for a model that is not built, or a subclassed one whose call cannot be traced; says why.
    """
    if isinstance(model, keras.Model) and not has_graph(model):
        return inlined(traced_model(model))
    return inlined(plain_functional(model))


def calls(model: Any) -> Iterator[Call]:
    """Every layer call of a functional model, producers before consumers."""
    for node in nodes_of(model):
        yield Call(node.operation, tuple(node.input_tensors), tuple(node.outputs), node.is_input, arguments_of(node))
