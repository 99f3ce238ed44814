"""Inlining: the layers of a nested model, or of a layer that holds others, put in the place of its call."""

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from compress.cloning.functional import inputs_by_place, is_nested, model_like, plain_functional
from compress.cloning.layer_copy import copy_weights
from compress.cloning.nodes import arguments_of, nodes_of
from compress.cloning.tracing.names import inner_names, unique
from compress.cloning.tracing.proof import NotTraced
from compress.cloning.tracing.trace import trace
from compress.cloning.tracing.traces import Traces, keep_whole, why_whole
from compress.cloning.whole_layer import copy_whole
from compress.errors import ModelError


def inlined(model: Any) -> Any:
    """The model itself where every layer stays one, else a flat copy of it with the same outputs.

    Layers of nested models keep their names; only where two would have the same, the one of the nested model gets its
    model's name in front. Those in other layers always get the name of the layer that holds them in front.

    Args:
        model: a plain functional model.
    """
    traces = Traces(model)
    if not any(traces.graph_of(node.operation, arguments_of(node)) for node in nodes_of(model) if not node.is_input):
        return model
    inputs = keras.tree.map_structure(_new_input, model.input)
    return _flat(model, model, traces, inputs, _unique_names(model))


def traced_model(model: Any) -> Any:
    """A functional model of what a subclassed one computes, with layers and weights of its own.

    Raises:
        ModelError: the model has never been called, or its call cannot be traced; says why.
    """
    kind = f"the subclassed {type(model).__name__} '{getattr(model, 'name', '?')}'"
    try:
        inputs = _inputs_of(model)
        graph = trace(model, ((inputs,), {}))
    except NotTraced as error:
        raise ModelError(
            f"expected a functional or Sequential Keras model, received {kind}, whose layer graph cannot be read: "
            f"{error}; rebuild it with keras.Model()"
        ) from error
    new = keras.tree.map_structure(lambda tensor: keras.Input(tensor.shape[1:], dtype=tensor.dtype), inputs)
    return _flat(model, graph, Traces(graph), new, inner_names(model, graph))


def _flat(model: Any, graph: Any, traces: Traces, inputs: Any, names: Iterable[tuple[Any, str]]) -> Any:
    """A flat model of a model's graph on new symbolic inputs, with names for its layers and a copy of their weights."""
    names = list(names)
    while True:
        inlining = _Inlining(graph, traces, names)
        flat = model_like(model, inputs, inlining.outputs(inputs))
        if not traces.outdated:
            inlining.copy_weights()
            return flat
        traces = Traces(graph)


def _new_input(tensor: Any) -> Any:
    """A new symbolic input like one of a model's."""
    return copy_whole(tensor._keras_history.operation).output


def _inputs_of(model: Any) -> Any:
    """Symbolic inputs of a subclassed model, in the structure that its call takes.

    Raises:
        NotTraced: it does not know the shapes of its inputs.
    """
    if getattr(model, "inputs", None):
        return keras.tree.map_structure(lambda tensor: keras.Input(tensor.shape[1:], dtype=tensor.dtype), model.input)
    shapes = tuple((getattr(model, "_build_shapes_dict", None) or {}).values())
    if not shapes:
        raise NotTraced(
            "Keras knows no shape of its inputs: it was never called, or its call does not run on symbolic tensors"
        )
    if len(shapes) > 1:
        raise NotTraced("its call takes several arguments")
    return _inputs_of_shape(shapes[0], model.input_dtype)


def _inputs_of_shape(shape: Any, dtype: str) -> Any:
    if isinstance(shape, dict):
        return {name: _inputs_of_shape(item, dtype) for name, item in shape.items()}
    if all(isinstance(size, int | None) for size in shape):
        return keras.Input(tuple(shape[1:]), dtype=dtype)
    return [_inputs_of_shape(item, dtype) for item in shape]


class _Inlining:
    """One pass through a graph and the graphs in it, which calls a copy of every layer that stays one."""

    def __init__(self, graph: Any, traces: Traces, names: Iterable[tuple[Any, str]]) -> None:
        self._graph, self._traces = graph, traces
        self._names: dict[int, str] = {}
        self._taken: set[str] = set()
        self._copies: dict[int, tuple[Any, Any]] = {}
        for layer, name in names:
            self._name(layer, name)

    def outputs(self, inputs: Any) -> Any:
        """What the graph makes of new symbolic inputs, by copies with weights as they were initialized."""
        return self._run(self._graph, keras.tree.flatten(inputs), {})

    def copy_weights(self) -> None:
        """Give every copy the weights of its original."""
        for old, new in self._copies.values():
            if isinstance(old, keras.Layer):
                copy_weights(old, new)

    def _run(self, graph: Any, inputs: list[Any], options: dict[str, Any]) -> Any:
        """Outputs of a graph on new tensors; ``options`` are arguments that all its layers inherit."""

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            given = {name: value for name, value in kwargs.items() if value is not None}
            inner = self._traces.graph_of(layer, (args, kwargs))
            if inner is None:
                return self._copy(layer)(*args, **{**kwargs, **_accepted(layer, options), **given})
            return self._run(inner, self._inner_inputs(layer, inner, args, kwargs), {**options, **_inherited(given)})

        # clone_model runs through a graph by this method, too.
        return graph._run_through_graph(inputs, operation_fn=lambda layer: layer, call_fn=call)

    def _inner_inputs(self, layer: Any, graph: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The tensors of a call of a nested model or traced layer, in the order of its graph's inputs."""
        if not is_nested(layer):
            self._name_parts(layer, graph)
            return [item for item in keras.tree.flatten((args, kwargs)) if isinstance(item, keras.KerasTensor)]
        given = inputs_by_place(graph, args[0] if args else kwargs["inputs"])
        return [self._fitted(tensor, wanted, layer.name) for tensor, wanted in zip(given, graph.inputs, strict=False)]

    def _fitted(self, tensor: Any, wanted: Any, inside: str) -> Any:
        """A tensor of the type and the number of axes of a nested model's input, made as Keras makes it."""
        if not isinstance(tensor, keras.KerasTensor):
            return tensor
        if tensor.dtype != wanted.dtype:
            tensor = self._named(keras.ops.cast(tensor, wanted.dtype), inside)
        if len(tensor.shape) == len(wanted.shape) + 1:
            return self._named(keras.ops.squeeze(tensor, axis=-1), inside)
        if len(tensor.shape) == len(wanted.shape) - 1:
            return self._named(keras.ops.expand_dims(tensor, axis=-1), inside)
        return tensor

    def _named(self, tensor: Any, inside: str) -> Any:
        """The tensor, with a name behind that of a nested model for the new operation that made it."""
        operation = tensor._keras_history.operation
        operation.name = unique(f"{inside}.{type(operation).__name__.lower()}", self._taken)
        self._taken.add(operation.name)
        return tensor

    def _name_parts(self, layer: Any, graph: Any) -> None:
        """Give names to all that a traced layer calls, behind its own."""
        for part, name in inner_names(layer, graph):
            self._name(part, f"{self._names[id(layer)]}.{name}")

    def _name(self, part: Any, name: str) -> None:
        if id(part) in self._names:
            return
        self._names[id(part)] = unique(name, self._taken)
        self._taken.add(self._names[id(part)])
        if is_nested(part):
            for leaf, _ in _leaves(part):
                self._name(leaf, f"{self._names[id(part)]}.{leaf.name}")

    def _copy(self, layer: Any) -> Any:
        if id(layer) not in self._copies:
            name = self._names[id(layer)]
            new = copy_whole(layer, None if name == layer.name else name)
            if isinstance(layer, keras.Layer):
                keep_whole(new, why_whole(layer))
            self._copies[id(layer)] = layer, new
        return self._copies[id(layer)][1]


def _inherited(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a call of a model or layer passes on to its layers: the mode, as in ``base(x, training=False)``."""
    return {name: value for name, value in arguments.items() if name == "training"}


def _accepted(layer: Any, options: dict[str, Any]) -> dict[str, Any]:
    known = inspect.signature(layer.call).parameters
    return {name: value for name, value in options.items() if name in known}


def _leaves(model: Any, inside: str = "") -> Iterator[tuple[Any, str]]:
    """Every layer and operation but the inputs of nested models, with the name of the nested model around it or ""."""
    for operation in plain_functional(model).operations:
        if is_nested(operation):
            yield from _leaves(operation, operation.name)
        elif not (inside and isinstance(operation, keras.layers.InputLayer)):
            yield operation, inside


def _unique_names(model: Any) -> Iterator[tuple[Any, str]]:
    """Every layer and operation with its name: those of the model, and of the models in it."""
    leaves = {id(layer): (layer, inside) for layer, inside in _leaves(model)}
    counts = Counter(layer.name for layer, _ in leaves.values())
    taken = {layer.name for layer, inside in leaves.values() if counts[layer.name] == 1 or not inside}
    for layer, inside in leaves.values():
        name = layer.name
        if counts[name] > 1 and inside:
            name = unique(f"{inside}.{name}", taken)
            taken.add(name)
        yield layer, name
