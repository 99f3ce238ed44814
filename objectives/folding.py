"""Layers of a network whose work the layer before does along: batch normalizations in inference, rectifiers."""

from typing import Any

from compress.walk import calls
from objectives.free_convolution import FreeConv2D
from objectives.free_layers import FreeBatchNormalization, FreeRectifier, is_linear


def fold(model: Any) -> None:
    """Fold every batch normalization into the convolution before it, and every rectifier into the normalization.

    Only where nothing else reads what is between them.
    """
    for before, after in _chained(model):
        if isinstance(before, FreeConv2D) and isinstance(after, FreeBatchNormalization) and is_linear(before.source):
            after.fold_into(before)
        elif isinstance(before, FreeBatchNormalization) and isinstance(after, FreeRectifier):
            after.fold_into(before)


def _chained(model: Any) -> list[tuple[Any, Any]]:
    """Pairs of layers, each called once, of which the second alone reads the first."""
    made = list(calls(model))
    names = [call.layer.name for call in made]
    readers: dict[str, list[Any]] = {}
    for call in made:
        for tensor in call.inputs:
            readers.setdefault(tensor._keras_history.operation.name, []).append(call.layer)
    returned = {tensor._keras_history.operation.name for tensor in model.outputs}
    once = (call.layer for call in made if names.count(call.layer.name) == 1 and call.layer.name not in returned)
    pairs = ((layer, readers[layer.name][0]) for layer in once if len(readers.get(layer.name, ())) == 1)
    return [(layer, reader) for layer, reader in pairs if names.count(reader.name) == 1]
