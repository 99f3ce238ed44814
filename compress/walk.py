"""Topological walk over the layer calls of a functional Keras model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from compress.errors import ModelError


@dataclass(frozen=True)
class Call:
    """One call of one layer: the layer, and ids of the symbolic tensors it reads and writes."""

    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    is_input: bool


def as_functional(model: Any) -> Any:
    """The model as a functional one; a built Sequential is rewrapped around the same layers.

    Raises:
        ModelError: for a subclassed or unbuilt model, whose layer graph cannot be read.
    """
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise ModelError(
                f"expected a built model, received Sequential '{model.name}' without an input shape; call build() first"
            )
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if not hasattr(model, "_nodes_by_depth"):
        raise ModelError(
            f"expected a functional or Sequential Keras model, received the subclassed {type(model).__name__} "
            f"'{getattr(model, 'name', '?')}', whose layer graph cannot be read; rebuild it with keras.Model(inputs, outputs)"
        )
    return model


def calls(model: Any) -> Iterator[Call]:
    """Every layer call of a functional model, producers before consumers."""
    # Keras keeps the call graph only in this attribute; clone_model itself walks it.
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            yield Call(node.operation, tuple(node.input_tensors), tuple(node.output_tensors), node.is_input)
