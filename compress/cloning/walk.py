"""Topological walk over the layer calls of a functional Keras model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from compress.cloning.inlining import inlined, plain_functional
from compress.errors import ModelError, excerpt


@dataclass(frozen=True)
class Call:
    """One call of one layer or operation: the symbolic tensors it reads and writes, and all its arguments."""

    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    is_input: bool
    arguments: tuple[tuple[Any, ...], dict[str, Any]]


def as_functional(model: Any) -> Any:
    """The model as a plain functional one without models inside.

    A Sequential or functional subclass is rewrapped around the same layers. A model that holds other models becomes a
    flat copy with layers and weights of its own; the caller's keeps its own nodes.

    Raises:
        ModelError: for a subclassed or unbuilt model, whose layer graph cannot be read.
    """
    return inlined(plain_functional(model))


def layers_by_name(model: Any) -> dict[str, Any]:
    """The layers of a model by name; ``get_layer`` searches all of them each time."""
    return {layer.name: layer for layer in model.layers}


def check_finite(model: Any) -> None:
    """Refuse weights that are not a number or infinite: nothing computed from them means anything.

    Raises:
        ModelError: names the layers that have some.
    """
    broken = [
        f"{count} of {weight.path}"
        for weight in model.weights
        if (count := int(np.sum(~np.isfinite(np.asarray(keras.ops.convert_to_numpy(weight), np.float64)))))
    ]
    if broken:
        raise ModelError(
            f"expected finite weights, received NaN or infinity in {excerpt(broken)}; train the model anew"
        )


def calls(model: Any) -> Iterator[Call]:
    """Every layer call of a functional model, producers before consumers."""
    # Keras keeps the call graph only in this attribute; clone_model itself walks it.
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            arguments = node.arguments.args, node.arguments.kwargs
            yield Call(node.operation, tuple(node.input_tensors), tuple(node.outputs), node.is_input, arguments)


Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of a call."""
