"""Copies of layers that stay as they are, with weights of their own."""

import copy
import sys
from collections.abc import Iterator
from typing import Any

import keras

from compress.cloning.layer_copy import copy_layer
from compress.errors import ModelError, typed_line

_OF_ITS_OWN = frozenset({"build", "quantize", "_tracker", "_inbound_nodes", "_outbound_nodes", "_losses", "_loss_ids"})
"""What Keras makes for every layer anew: wrapped methods, calls in graphs, ids of objects."""


def copy_whole(layer: Any, name: str | None = None) -> Any:
    """A copy of a layer, or of a ``keras.ops`` operation, that computes the same and shares no weights with it.

    Keras's layers are made from their configuration, unbuilt. Those of others need not survive theirs, and what it
    leaves out would be lost without a word: they are copied with all that they hold, built as they are.

    Args:
        layer: the layer; it is not modified.
        name: the copy's name, by default that of the layer.

    Raises:
        ModelError: the layer can neither be copied nor be made from its configuration.
    """
    changes = {} if name is None else {"name": name}
    if all(type(part).__module__.startswith("keras.") for part in parts_of(layer)):
        return copy_layer(layer, **changes)
    try:
        made = _deep_copy(layer)
    except Exception as error:  # Whatever the layer holds may refuse to be copied.
        try:
            return copy_layer(layer, **changes)
        except ModelError as refused:
            raise ModelError(f"{refused}; nor with all that it holds: {typed_line(error, 150)}") from error
    made.name = layer.name if name is None else name
    return made


def copy_to_build(layer: Any) -> Any:
    """An unbuilt copy of a layer that makes its weights in ``build``: it holds all but them, and can get other shapes.

    Raises:
        ModelError: the layer can neither be copied nor be made from its configuration.
    """
    made = copy_whole(layer)
    if made.built:
        made._tracker.unlock()
        for name, value in list(vars(made).items()):
            if isinstance(value, keras.Variable) and any(value is weight for weight in made.weights):
                made._untrack_variable(value)
                del vars(made)[name]
        made.built = False
    return made


def parts_of(layer: Any) -> list[Any]:
    """The layer, and all layers, operations and metrics that it holds."""
    parts: dict[int, Any] = {}
    left = [layer]
    while left:
        item = left.pop()
        if isinstance(item, keras.Operation | keras.Metric) and id(item) not in parts:
            parts[id(item)] = item
            left.extend(value for name, value in vars(item).items() if name not in _OF_ITS_OWN)
        elif isinstance(item, dict):
            left.extend(item.values())
        elif isinstance(item, list | tuple | set):
            left.extend(item)
    return list(parts.values())


def _deep_copy(layer: Any) -> Any:
    # Keras pickles a layer by its configuration, and so does copy.deepcopy(): here every part gets an empty object of
    # its type first, which stands for it wherever the others hold it.
    parts = parts_of(layer)
    _check_alone(layer, parts)
    made = [part.__class__.__new__(part.__class__) for part in parts]
    memo: dict[int, Any] = {id(module): module for module in sys.modules.values()}
    memo.update({id(part): new for part, new in zip(parts, made, strict=True)})
    for part, new in zip(parts, made, strict=True):
        if hasattr(part, "_tracker"):
            memo[id(part._tracker)] = new._tracker
            memo.update({id(old): new._tracker.config[name][1] for name, (_, old) in part._tracker.config.items()})
    for part, new in zip(parts, made, strict=True):
        state = {name: value for name, value in vars(part).items() if name not in _OF_ITS_OWN}
        vars(new).update(copy.deepcopy(state, memo))
        nodes = ([], []) if part is layer else (part._inbound_nodes, part._outbound_nodes)
        new._inbound_nodes, new._outbound_nodes = copy.deepcopy(nodes, memo)
        new._losses, new._loss_ids = [], set()
    for part, new in zip(parts, made, strict=True):
        if hasattr(part, "_tracker"):
            _track(part._tracker, new._tracker, memo)
        if hasattr(part, "_nodes_by_depth"):
            # Functional models know the calls in them by the id of the layer and the number of its call.
            calls = (key.split("_", 1) for key in part._nodes)
            new._nodes = {f"{id(memo[int(identity)])}_{number}" for identity, number in calls}
    return memo[id(layer)]


def _track(old: Any, new: Any, memo: dict[int, Any]) -> None:
    """Have a layer's tracker hold the copies of what the original's holds, in the same order."""
    for name, (_, items) in old.config.items():
        new.config[name][1][:] = [copy.deepcopy(item, memo) for item in items]
        new.stored_ids[name] = {id(item) for item in new.config[name][1]}
    new.locked, new._lock_violation_msg = old.locked, old._lock_violation_msg


def _check_alone(layer: Any, parts: list[Any]) -> None:
    """Refuse a layer whose copy would compute with something of the original's, or without what it shares.

    Raises:
        ModelError: a layer in it is called in the model too, or a function that it holds reads the layer's own parts.
    """
    graphs = {id(node) for part in parts for nodes in getattr(part, "_nodes_by_depth", {}).values() for node in nodes}
    own = {id(item) for item in (*parts, *getattr(layer, "variables", ()))}
    for part in parts:
        calls = () if part is layer else getattr(part, "_inbound_nodes", ())
        if any(id(node) not in graphs for node in calls):
            raise ModelError(f"the layer '{part.name}' in it is called outside of it, too")
        for name, value in _closures(part):
            if id(value) in own:
                raise ModelError(f"its function '{name}' holds a part of the layer itself")


def _closures(part: Any) -> Iterator[tuple[str, Any]]:
    """What functions that a layer holds have captured, by the name of the function's attribute."""
    for name, value in vars(part).items():
        if name not in _OF_ITS_OWN:
            for cell in getattr(value, "__closure__", None) or ():
                yield name, cell.cell_contents
