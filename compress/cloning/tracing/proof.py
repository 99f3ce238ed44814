"""Proof of traces: in both modes a call leaves the same graph, which computes what the layer computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from compress.cloning.nodes import Arguments, arguments_of, nodes_of
from compress.errors import typed_line

TOLERANCES = {"float64": 1e-4, "float32": 1e-4}
"""Largest difference between a layer's outputs and its graph's, relative to the largest output; others are coarser."""
COARSE = 2e-2
BATCH = 2
UNKNOWN_SIZE = 16
"""Size of an axis of random tensors whose size is not fixed."""


class NotTraced(Exception):
    """A layer that cannot be replaced by what it calls, and why: a clause whose subject is the layer."""


def first_sentence(error: BaseException) -> str:
    """Type of another library's error and the first sentence of its text, on one line."""
    return typed_line(error, 160).split(". ")[0].rstrip(".")


@dataclass(frozen=True)
class _Tensor:
    """A tensor of a graph, by its place in the order of calls."""

    number: int


def check_same_mode(inference: Any, training: Any) -> None:
    """Compare the graphs of two calls of a layer in inference and in training mode.

    They may differ in the mode that they give to layers, and only if it is always that of the call.

    Raises:
        NotTraced: they differ otherwise.
    """
    rows = zip(_rows(inference), _rows(training), strict=False)
    if len(inference._nodes) != len(training._nodes) or not all(_same_call(one, other) for one, other in rows):
        raise NotTraced("its call does other things in training than in inference")
    for node, other in zip(nodes_of(inference), nodes_of(training), strict=True):
        modes = _mode(node), _mode(other)
        # Keras records the default of the layer's own call where none is given: what is computed in the end tells.
        if modes != (False, True) and set(modes) != {_default_mode(node.operation)}:
            raise NotTraced(f"its call runs '{node.operation.name}' with training={modes[0]} whatever the mode")


def follow_mode(graph: Any) -> None:
    """Drop the mode from all calls of a graph, so that they take that of the graph's own call."""
    for node in nodes_of(graph):
        node.arguments.kwargs.pop("training", None)


def _mode(node: Any) -> Any:
    return arguments_of(node)[1].get("training", _default_mode(node.operation))


def _default_mode(operation: Any) -> Any:
    signature = getattr(operation, "_call_signature", None)
    parameter = None if signature is None else signature.parameters.get("training")
    return None if parameter is None else parameter.default


def _rows(graph: Any) -> Iterator[tuple[Any, ...]]:
    """Operation and arguments of every call, with tensors by number, and the outputs last."""
    numbers = {id(tensor): number for number, tensor in enumerate(graph.inputs)}

    def numbered(item: Any) -> Any:
        return _Tensor(numbers[id(item)]) if isinstance(item, keras.KerasTensor) else item

    for node in nodes_of(graph):
        args, kwargs = arguments_of(node)
        for tensor in node.outputs:
            numbers.setdefault(id(tensor), len(numbers))
        rest = {name: value for name, value in kwargs.items() if name != "training"}
        yield node.operation, keras.tree.map_structure(numbered, (args, rest))
    yield None, keras.tree.map_structure(numbered, graph._outputs_struct)


def _same_call(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return _same_operation(one[0], other[0]) and _same_values(one[1], other[1])


def _same_operation(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other) or bool(getattr(one, "weights", None)):
        return False
    return _same_values(_settings(one), _settings(other))


def _settings(operation: Any) -> dict[str, Any]:
    """What an operation that a call makes was made with."""
    values = operation.get_config() if isinstance(operation, keras.Layer) else vars(operation)
    return {name: value for name, value in values.items() if name != "name" and not name.startswith("_")}


def _same_values(one: Any, other: Any) -> bool:
    left, right = keras.tree.flatten(one), keras.tree.flatten(other)
    return len(left) == len(right) and all(_same_value(*pair) for pair in zip(left, right, strict=True))


def _same_value(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if hasattr(one, "shape"):
        return np.array_equal(np.asarray(one), np.asarray(other))
    return bool(one == other)


def check_same_values(layer: Any, graph: Any, arguments: Arguments) -> None:
    """Compare what a layer and its graph compute on random numbers, in both modes; no variable changes.

    Raises:
        NotTraced: the outputs differ, are not finite, or cannot be computed.
    """
    tensors: list[Any] = []
    rng = np.random.default_rng(0)

    def drawn(item: Any) -> Any:
        if not isinstance(item, keras.KerasTensor):
            return item
        tensors.append(_random(item, rng))
        return tensors[-1]

    args, kwargs = keras.tree.map_structure(drawn, arguments)
    for training in (False, True):
        try:
            with keras.StatelessScope():
                expected = layer(*args, **{**kwargs, "training": training})
            with keras.StatelessScope():
                actual = _run(graph, tensors, training)
        except Exception as error:  # Whatever the layer's own code raises.
            raise NotTraced(f"it does not run on a batch of random numbers ({first_sentence(error)})") from error
        for wanted, got in zip(keras.tree.flatten(expected), keras.tree.flatten(actual), strict=True):
            _check_close(np.asarray(keras.ops.convert_to_numpy(wanted)), np.asarray(keras.ops.convert_to_numpy(got)))


def _random(tensor: Any, rng: np.random.Generator) -> Any:
    shape = [BATCH, *(size or UNKNOWN_SIZE for size in tensor.shape[1:])]
    floats = keras.backend.is_float_dtype(tensor.dtype)
    values = rng.normal(size=shape) if floats else rng.integers(0, 2, shape)
    return keras.ops.convert_to_tensor(values.astype(np.float32 if floats else np.int32), dtype=tensor.dtype)


def _run(graph: Any, tensors: list[Any], training: bool) -> Any:
    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        mode = {"training": training} if isinstance(operation, keras.Layer) else {}
        return operation(*args, **{**kwargs, **mode})

    return graph._run_through_graph(tensors, call_fn=call)


def _check_close(wanted: Any, got: Any) -> None:
    tolerance = TOLERANCES.get(str(wanted.dtype), COARSE)
    if wanted.shape != got.shape:
        raise NotTraced(f"the graph of its call gives shape {got.shape}, the layer {wanted.shape}")
    wanted, got = wanted.astype(np.float64), got.astype(np.float64)
    if not np.isfinite(wanted).all():
        raise NotTraced("its outputs for random numbers are not finite, so that nothing proves the graph of its call")
    difference = float(np.max(np.abs(wanted - got), initial=0.0))
    if not difference <= tolerance * max(float(np.max(np.abs(wanted), initial=0.0)), 1e-30):
        raise NotTraced(f"the graph of its call computes something else (difference {difference:.2g})")
