"""Names of the layers in a composite one, which are the same whenever and wherever the model is loaded."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from compress.cloning.nodes import nodes_of


def inner_names(layer: Any, graph: Any) -> Iterator[tuple[Any, str]]:
    """Every layer and operation that a traced layer calls, with its name in it, by the order of calls.

    That is the name that its author gave it. Those that Keras numbers depend on what was made before: a layer called so
    has the name of the attribute that holds it, or of its class if none does.
    """
    attributes = dict(_attributes(layer))
    taken: set[str] = set()
    for operation in dict.fromkeys(node.operation for node in nodes_of(graph) if not node.is_input):
        name = operation.name
        if name == _numbered(type(operation), name):
            name = attributes.get(id(operation), _snake_case(type(operation).__name__))
        name = unique(name, taken)
        taken.add(name)
        yield operation, name


def unique(name: str, taken: Mapping[str, Any] | set[str]) -> str:
    """The name, with the first free number behind it where it is taken."""
    number, result = 0, name
    while result in taken:
        number += 1
        result = f"{name}_{number}"
    return result


def _numbered(kind: type, name: str) -> str:
    """What Keras would call the layer if it called it by its class and the number in its name."""
    number = re.search(r"(_\d+)?$", name)
    return _snake_case(kind.__name__) + (number[0] if number else "")


def _snake_case(name: str) -> str:
    """As Keras makes a layer's name of its class's."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _attributes(layer: Any) -> Iterator[tuple[int, str]]:
    """Layers that a layer holds by id, with the names of the attributes that lead to them, the shortest last."""
    held = list(_held(layer))
    for part, path in held:
        for key, inner in _attributes(part):
            yield key, f"{path}.{inner}"
    for part, path in held:
        yield id(part), path


def _held(layer: Any) -> Iterator[tuple[Any, str]]:
    for name, value in vars(layer).items():
        # Keras's own lists of all parts begin so.
        if name not in ("_layers", "_metrics", "_tracker", "_inbound_nodes", "_outbound_nodes"):
            yield from _in_value(value, name.strip("_"))


def _in_value(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, keras.Layer):
        yield value, path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _in_value(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _in_value(item, f"{path}.{index}")
