"""Traces: what one call of a layer does to its tensors, as a graph of the layers and operations that it calls."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras

from compress.cloning.layer_copy import copy_layer
from compress.cloning.nodes import Arguments, arguments_of, nodes_of
from compress.cloning.tracing.proof import NotTraced, check_same_mode, check_same_values, first_sentence, follow_mode
from compress.cloning.whole_layer import parts_of
from compress.errors import ModelError


def trace(layer: Any, arguments: Arguments) -> Any:
    """The graph of one call of a layer as a ``keras.Function`` of the call's tensors, over the layer's own parts.

    The call is made on symbolic tensors of the same shapes, in inference mode and in training mode, and must leave the
    same graph. The graph must reach every weight of the layer, and compute on random numbers what the layer computes.

    Args:
        layer: a built layer, or a subclassed model; it is not modified.
        arguments: of the call; where they hold symbolic tensors, only their shapes and types matter.

    Raises:
        NotTraced: one of this is not so, or the call does not run on symbolic tensors.
    """
    _check_plain(layer, arguments)
    with _calls_forgotten(layer):
        graph = _graph(layer, arguments, training=False)
        takes_mode = "training" in layer._call_signature.parameters
        check_same_mode(graph, _graph(layer, arguments, training=True) if takes_mode else graph)
        follow_mode(graph)
    _check_weights(layer, graph)
    _check_operations(graph)
    check_same_values(layer, graph, arguments)
    return graph


def _check_plain(layer: Any, arguments: Arguments) -> None:
    """Refuse what the graph of a call does not tell."""
    if not layer.built:
        raise NotTraced("it is not built")
    if layer.activity_regularizer is not None:
        raise NotTraced("it has an activity regularizer")
    if getattr(layer, "_call_context_args", {"training"}) != {"training"}:
        raise NotTraced("its call takes more from its context than the mode")
    tensors = [item for item in keras.tree.flatten(arguments) if isinstance(item, keras.KerasTensor)]
    if any(map(_has_mask, tensors)):
        raise NotTraced("it is called with a mask")
    if not _is_default(layer.compute_mask) or (type(layer) is keras.layers.Lambda and layer.mask is not None):
        raise NotTraced("it makes masks of its own")
    default = getattr(layer._call_signature.parameters.get("training"), "default", None)
    if default not in (None, False):
        raise NotTraced(f"its call has training={default!r} by default")


def _has_mask(tensor: Any) -> bool:
    return getattr(tensor, "_keras_mask", None) is not None


def _is_default(method: Any) -> bool:
    """Whether a method of a layer is Keras's own."""
    return str(getattr(method, "__module__", "")).startswith("keras.")


def _graph(layer: Any, arguments: Arguments, training: bool) -> Any:
    inputs: list[Any] = []

    def symbolic(item: Any) -> Any:
        if not isinstance(item, keras.KerasTensor):
            return item
        inputs.append(keras.Input(batch_shape=(None, *item.shape[1:]), dtype=item.dtype))
        return _converted(layer, inputs[-1])

    args, kwargs = keras.tree.map_structure(symbolic, arguments)
    mode = {"training": training} if "training" in layer._call_signature.parameters else {}
    # In the scope, what the call assigns to variables, and what it adds to losses, is kept apart.
    with keras.StatelessScope(collect_losses=True) as scope:
        try:
            outputs = layer.call(*args, **{**kwargs, **mode})
        except Exception as error:  # Whatever the layer's own code raises.
            raise NotTraced(f"its call does not run on symbolic tensors ({first_sentence(error)})") from error
    if scope.state_mapping:
        raise NotTraced("its call draws random numbers or changes variables itself")
    if scope.losses:
        raise NotTraced("its call adds a loss")
    if not inputs or not all(isinstance(item, keras.KerasTensor) for item in keras.tree.flatten(outputs)):
        raise NotTraced("its call answers with something that does not follow from its tensors")
    if any(map(_has_mask, keras.tree.flatten(outputs))):
        raise NotTraced("its call answers with a mask")
    try:
        return _for_any_batch(keras.Function(inputs, outputs))
    except ValueError as error:
        raise NotTraced(f"its call leaves no graph ({first_sentence(error)})") from error


def _for_any_batch(graph: Any) -> Any:
    """The graph with ``keras.ops.reshape`` to shapes with a batch of -1, where they have one of None.

    That is the size that a call is told for the batch of symbolic tensors, and backends take none.
    """
    if not any(_asks_for_batch(node.operation) for node in nodes_of(graph)):
        return graph
    inputs = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in graph.inputs]

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if not _asks_for_batch(operation):
            return operation(*args, **kwargs)
        sizes, given = operation.newshape[1:], args[0].shape[1:]
        if -1 in sizes and None not in given:
            rest = math.prod(size for size in sizes if size != -1)
            sizes = tuple(math.prod(given) // rest if size == -1 else size for size in sizes)
        return keras.ops.reshape(args[0], (-1, *sizes))

    return keras.Function(inputs, graph._run_through_graph(inputs, call_fn=call))


def _asks_for_batch(operation: Any) -> bool:
    shape: tuple[int | None, ...] = getattr(operation, "newshape", ())
    return type(operation).__name__ == "Reshape" and bool(shape) and shape[0] is None and None not in shape[1:]


def _converted(layer: Any, tensor: Any) -> Any:
    """A tensor of the type that the layer computes with, as Keras converts it before a call."""
    is_float = keras.backend.is_float_dtype(tensor.dtype) and keras.backend.is_float_dtype(layer.input_dtype)
    if not (layer.autocast and is_float) or tensor.dtype == layer.input_dtype:
        return tensor
    return keras.ops.cast(tensor, layer.input_dtype)


@contextmanager
def _calls_forgotten(layer: Any) -> Iterator[None]:
    """Take back what calls on symbolic tensors leave on a layer's parts, and let Sequential ones take any size."""
    parts = [part for part in parts_of(layer) if isinstance(part, keras.Operation)]
    nodes = [(list(part._inbound_nodes), list(part._outbound_nodes)) for part in parts]
    losses = [(part, set(part._loss_ids)) for part in parts if isinstance(part, keras.Layer)]
    sequential = [part for part in parts if isinstance(part, keras.Sequential)]
    for part in sequential:
        vars(part)["compute_output_spec"] = partial(_spec_of_sequential, part)
    try:
        yield
    finally:
        for part in sequential:
            del vars(part)["compute_output_spec"]
        for part, (inbound, outbound) in zip(parts, nodes, strict=True):
            part._inbound_nodes[:], part._outbound_nodes[:] = inbound, outbound
        for part, ids in losses:
            part._loss_ids = ids


def _spec_of_sequential(model: Any, inputs: Any, **options: Any) -> Any:
    """Symbolic outputs of a Sequential model on tensors of any size, which it takes unless they are symbolic."""
    for layer in model.layers:
        inputs = layer.compute_output_spec(inputs)
    return inputs


def _check_weights(layer: Any, graph: Any) -> None:
    """Refuse a layer of which the graph reaches too few weights, too many, or some in two places."""
    reached: dict[int, str] = {}
    for operation in graph.operations:
        for weight in getattr(operation, "weights", ()):
            if id(weight) in reached:
                raise NotTraced(f"its parts '{reached[id(weight)]}' and '{operation.name}' share weights")
            reached[id(weight)] = operation.name
    left = [weight.path for weight in layer.weights if id(weight) not in reached]
    if left:
        raise NotTraced(f"its call uses its weight '{left[0]}' outside of the layers in it, or not at all")
    if len(reached) > len({id(weight) for weight in layer.weights}):
        raise NotTraced("its call makes weights or uses those of layers that it does not hold")


def _check_operations(graph: Any) -> None:
    """Refuse a graph with operations that could not be copied or saved."""
    for node in nodes_of(graph):
        if isinstance(node.operation, keras.Layer):
            continue
        if any(isinstance(item, keras.Variable) for item in keras.tree.flatten(arguments_of(node))):
            raise NotTraced(f"its call reads a variable in '{type(node.operation).__name__}'")
        try:
            copy_layer(node.operation)
        except ModelError as error:
            raise NotTraced(f"its call has an operation without a configuration ({first_sentence(error)})") from error
