"""Topological walk over the layer calls of a functional Keras model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from compress.errors import ModelError


@dataclass(frozen=True)
class Call:
    """One call of one layer or operation: the symbolic tensors it reads and writes, and all its arguments."""

    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    is_input: bool
    arguments: tuple[tuple[Any, ...], dict[str, Any]]


def as_functional(model: Any) -> Any:
    """The model as a plain functional one; a Sequential or functional subclass is rewrapped around the same layers.

    Raises:
        ModelError: for a subclassed or unbuilt model, whose layer graph cannot be read.
    """
    if isinstance(model, keras.Sequential) and not (model.built and model.inputs):
        raise ModelError(
            f"expected a built model, received Sequential '{model.name}' without an input shape; call build() first"
        )
    if not _has_graph(model):
        raise ModelError(
            f"expected a functional or Sequential Keras model, received the subclassed {type(model).__name__} "
            f"'{getattr(model, 'name', '?')}', whose layer graph cannot be read; rebuild it with keras.Model()"
        )
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model if _is_keras(type(model)) else keras.Model(model.input, model.output, name=model.name)


def _has_graph(model: Any) -> bool:
    # A subclass with a call() of its own may compute anything, whatever its graph says.
    own_call = not _is_keras(getattr(type(model), "call", None))
    return not own_call and (isinstance(model, keras.Sequential) or hasattr(model, "_nodes_by_depth"))


def _is_keras(item: Any) -> bool:
    return str(getattr(item, "__module__", "")).startswith("keras.")


def layers_by_name(model: Any) -> dict[str, Any]:
    """The layers of a model by name; ``get_layer`` searches all of them each time."""
    return {layer.name: layer for layer in model.layers}


def calls(model: Any) -> Iterator[Call]:
    """Every layer call of a functional model, producers before consumers."""
    # Keras keeps the call graph only in this attribute; clone_model itself walks it.
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            arguments = node.arguments.args, node.arguments.kwargs
            yield Call(node.operation, tuple(node.input_tensors), tuple(node.outputs), node.is_input, arguments)
