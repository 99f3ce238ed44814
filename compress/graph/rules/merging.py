"""Channels where several tensors meet: elementwise merges, with broadcasting and constants, and concatenations."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from compress.cloning.nodes import Arguments
from compress.graph.coupling import Channels, Coupling
from compress.graph.group import KeptChannels, Node
from compress.graph.rules.layer_rule import LayerCall


def merge(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Elementwise merge: channels that meet are coupled; what is broadcast over channels is frozen."""
    rank = len(call.output_shape)
    place = max(range(len(inputs)), key=lambda index: inputs[index].size)
    widest = inputs[place]
    # Shapes are aligned at their last axes, so axes are compared as counted from there.
    axis = widest.axis - len(call.input_shapes[place])
    for channels, shape in zip(inputs, call.input_shapes, strict=True):
        if channels is widest:
            continue
        if channels.axis - len(shape) != axis:
            _freeze_crossed(call, channels, shape, widest, axis, coupling)
        elif channels.size == widest.size:
            coupling.unify(widest.labels, channels.labels)
        else:
            coupling.freeze(channels.labels, f"'{call.layer.name}' broadcasts it over {widest.size} channels")
    width = call.output_shape[axis] if widest.size else 0
    if width == widest.size:
        return (Channels(widest.labels, axis + rank),)
    reason = f"'{call.layer.name}' broadcasts it over {width} channels"
    coupling.freeze(widest.labels, reason)
    return (Channels(coupling.fixed(int(width or 0), reason), axis + rank),)


def _freeze_crossed(
    call: LayerCall, channels: Channels, shape: tuple[int | None, ...], widest: Channels, axis: int, coupling: Coupling
) -> None:
    """Freeze what meets along different axes; the widest stays free where the other is broadcast over its channels."""
    reason = f"'{call.layer.name}' joins it with a tensor whose channels lie along another axis"
    coupling.freeze(channels.labels, reason)
    if len(shape) >= -axis and shape[axis] != 1:
        coupling.freeze(widest.labels, reason)


def unusable_constant(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why the constant operands of an operation cannot follow its channels."""
    for value in (*call.arguments[0], *call.arguments[1].values()):
        if isinstance(value, keras.KerasTensor):
            continue
        if isinstance(value, keras.Variable):
            return f"'{call.layer.name}' reads a variable that belongs to no layer"
        if np.asarray(value).dtype.kind not in "biuf":
            return f"'{call.layer.name}' has an operand that is no number"
        if type(call.layer).__name__ == "Add" and _is_ambiguous(value):
            return f"'{call.layer.name}' adds a constant along one axis, and Keras takes it for a bias of the last"
    return None


def _is_ambiguous(value: Any) -> bool:
    """Whether ``keras.ops.add`` may add its second operand along another axis than its own.

    On TensorFlow it makes any operand with one axis longer than 1 a bias of the first's last axis where that is as
    long, which pruning may bring about.
    """
    shape = value.shape if isinstance(value, keras.KerasTensor) else np.shape(value)
    long = [axis for axis, size in enumerate(shape) if size is None or size > 1]
    return len(long) == 1 and long[0] != len(shape) - 1


def without_removed(arguments: Arguments, node: Node, kept: KeptChannels) -> Arguments:
    """The arguments of an elementwise operation with the channels that stay, in every constant that varies by them.

    The operands of a sum change places where Keras might take the second, by what is left of it, for a bias.
    """
    axis = node.axes[0] - len(node.output_shape)
    operands = tuple(_sliced(value, axis, kept[node.output]) for value in arguments[0])
    if node.kind == "Add" and len(operands) == 2 and _is_ambiguous(operands[1]):
        operands = operands[::-1]
    return operands, {name: _sliced(value, axis, kept[node.output]) for name, value in arguments[1].items()}


def _sliced(value: Any, axis: int, stay: NDArray[np.bool_]) -> Any:
    if isinstance(value, keras.KerasTensor):
        return value
    array = np.asarray(value)
    varies = array.ndim >= -axis and array.shape[axis] == stay.size and stay.size > 1
    return np.compress(stay, array, axis=axis) if varies else value


def concatenate(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Along the channels: one after the other. Along another axis: coupled channel by channel."""
    rank = len(call.output_shape)
    axis = call.layer.axis % rank
    if all(channels.axis == axis for channels in inputs):
        return (Channels(np.concatenate([channels.labels for channels in inputs]), axis),)
    first = inputs[0]
    if any(channels.axis != first.axis or channels.axis == axis for channels in inputs):
        return _refused(call, inputs, axis, coupling)
    for channels in inputs[1:]:
        coupling.unify(first.labels, channels.labels)
    return (first,)


def joins_constant(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a tensor that is joined with a constant stays whole: the constant holds numbers for all channels."""
    operands = next(iter((*call.arguments[0], *call.arguments[1].values())))
    if all(isinstance(operand, keras.KerasTensor) for operand in operands):
        return None
    return f"'{call.layer.name}' joins it with a constant"


def _refused(call: LayerCall, inputs: Sequence[Channels], axis: int, coupling: Coupling) -> tuple[Channels, ...]:
    reason = f"'{call.layer.name}' joins tensors whose channels lie along different axes"
    for channels in inputs:
        coupling.freeze(channels.labels, reason)
    return (Channels(coupling.fixed(int(call.output_shape[axis] or 0), reason), axis),)


def stack(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Tensors of equal shape along a new axis: coupled channel by channel."""
    rank = len(call.output_shape)
    axis = call.layer.axis % rank
    first = inputs[0]
    if any(channels.axis != first.axis for channels in inputs):
        return _refused(call, inputs, axis, coupling)
    for channels in inputs[1:]:
        coupling.unify(first.labels, channels.labels)
    return (Channels(first.labels, first.axis + (axis <= first.axis)),)
