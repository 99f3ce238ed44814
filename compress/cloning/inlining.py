"""Inlining: the layers of a nested model put in the place of its call."""

import inspect
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras

from compress.cloning.layer_copy import copy_weights
from compress.cloning.whole_layer import copy_whole
from compress.errors import ModelError


def plain_functional(model: Any) -> Any:
    """The model as a functional one of Keras's own class, around the same layers.

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


def _is_nested(layer: Any) -> bool:
    return isinstance(layer, keras.Model) and _has_graph(layer) and bool(getattr(layer, "inputs", None))


def inlined(model: Any) -> Any:
    """The model itself where it holds no other, else a flat copy of it with the same outputs.

    Layers keep their names; only where two would have the same, the one of the nested model gets its model's name in
    front. Nested models that are subclassed stay as they are: what they compute cannot be read.
    """
    if not any(_is_nested(layer) for layer in model.layers):
        return model
    graph = _Inlining(model)
    inputs = keras.tree.map_structure(graph.input, model.input)
    outputs = graph.run(model, keras.tree.flatten(inputs), {})
    flat = keras.Model(inputs, outputs, name=model.name)
    graph.copy_weights()
    return flat


class _Inlining:
    """One pass through a model and the models in it, which calls a copy of every layer."""

    def __init__(self, model: Any) -> None:
        self._names = dict(_unique_names(model))
        self._inputs = {id(layer.output): layer for layer in model.layers if isinstance(layer, keras.layers.InputLayer)}
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._graphs: dict[int, Any] = {}

    def input(self, tensor: Any) -> Any:
        """A new symbolic input in the place of one of the model's."""
        return self._copy(self._inputs[id(tensor)]).output

    def run(self, model: Any, inputs: list[Any], options: dict[str, Any]) -> Any:
        """Outputs of a model's graph on new tensors; ``options`` are arguments that all its layers inherit."""
        graph = self._graphs.setdefault(id(model), plain_functional(model))

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            given = {name: value for name, value in kwargs.items() if value is not None}
            if _is_nested(layer):
                tensors = keras.tree.flatten(args[0] if args else kwargs["inputs"])
                return self.run(layer, tensors, {**options, **_inherited(given)})
            return self._copy(layer)(*args, **{**kwargs, **_accepted(layer, options), **given})

        # clone_model runs through a graph by this method, too.
        return graph._run_through_graph(inputs, operation_fn=lambda layer: layer, call_fn=call)

    def _copy(self, layer: Any) -> Any:
        if id(layer) not in self._copies:
            name = self._names[id(layer)]
            self._copies[id(layer)] = layer, copy_whole(layer, None if name == layer.name else name)
        return self._copies[id(layer)][1]

    def copy_weights(self) -> None:
        """Give every copy the weights of its original."""
        for old, new in self._copies.values():
            if isinstance(old, keras.Layer):
                copy_weights(old, new)


def _inherited(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a call of a model passes on to its layers: the mode, as in ``base(x, training=False)``."""
    return {name: value for name, value in arguments.items() if name == "training"}


def _accepted(layer: Any, options: dict[str, Any]) -> dict[str, Any]:
    known = inspect.signature(layer.call).parameters
    return {name: value for name, value in options.items() if name in known}


def _leaves(model: Any, inside: str = "") -> Iterator[tuple[Any, str]]:
    """Every layer and operation but the inputs of nested models, with the name of the nested model around it or ""."""
    for operation in plain_functional(model).operations:
        if _is_nested(operation):
            yield from _leaves(operation, operation.name)
        elif not (inside and isinstance(operation, keras.layers.InputLayer)):
            yield operation, inside


def _unique_names(model: Any) -> Iterator[tuple[int, str]]:
    """Name by id of every layer and operation that an inlined model has."""
    leaves = {id(layer): (layer, inside) for layer, inside in _leaves(model)}
    counts = Counter(layer.name for layer, _ in leaves.values())
    taken = {layer.name for layer, inside in leaves.values() if counts[layer.name] == 1 or not inside}
    for key, (layer, inside) in leaves.items():
        name = layer.name
        if counts[name] > 1 and inside:
            name = base = f"{inside}.{name}"
            while name in taken:
                name = f"{base}_{sum(other.startswith(base) for other in taken)}"
            taken.add(name)
        yield key, name
