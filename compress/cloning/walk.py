"""Topological walk over the layer calls of a functional Keras model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from compress.cloning.functional import has_graph, plain_functional
from compress.cloning.inlining import inlined, traced_model
from compress.cloning.nodes import Arguments, arguments_of, nodes_of
from compress.errors import ModelError, excerpt


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


def layers_by_name(model: Any) -> dict[str, Any]:
    """The layers of a model by name; ``get_layer`` searches all of them each time."""
    return {layer.name: layer for layer in model.layers}


def check_finite(model: Any) -> None:
    """Refuse weights that are not a number or infinite: nothing computed from them means anything.

    Raises:
        ModelError: names the layers that have some.
    """
    broken = [f"{count} of {weight.path}" for weight in model.weights if (count := _infinite(weight))]
    if broken:
        raise ModelError(
            f"expected finite weights, received NaN or infinity in {excerpt(broken)}; train the model anew"
        )


def _infinite(weight: Any) -> int:
    """How many values are not finite."""
    values = keras.ops.convert_to_numpy(weight)
    return int(np.sum(~np.isfinite(values if values.dtype == np.float32 else np.asarray(values, np.float64))))


def calls(model: Any) -> Iterator[Call]:
    """Every layer call of a functional model, producers before consumers."""
    for node in nodes_of(model):
        yield Call(node.operation, tuple(node.input_tensors), tuple(node.outputs), node.is_input, arguments_of(node))
