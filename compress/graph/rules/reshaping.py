"""Channels through layers and operations that move all elements: reshape, flatten, permute, squeeze, repeat, flip."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from compress.graph.coupling import Channels, Coupling
from compress.graph.group import KeptChannels, Node
from compress.graph.rules.layer_rule import LayerCall, Shape, kept_shape


def reshape(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Follow every element; where the channels end up along several axes, all but the last of them are coupled."""
    before, after = _sizes(call.input_shapes[0]), _sizes(call.output_shape)
    across = [1] * len(before)
    across[inputs[0].axis - 1] = -1
    grid = np.broadcast_to(inputs[0].labels.reshape(across), before).reshape(after)
    axis = max((axis for axis in range(grid.ndim) if _varies(grid, axis)), default=grid.ndim - 1)
    rows = np.moveaxis(grid, axis, -1).reshape(-1, grid.shape[axis])
    return (Channels(coupling.couple(rows), axis + 1),)


def _sizes(shape: Shape) -> tuple[int, ...]:
    """Sizes of all axes but the batch; 0 where one is not fixed."""
    return tuple(size or 0 for size in shape[1:])


def _varies(grid: Any, axis: int) -> bool:
    return bool(np.any(grid != grid.take([0], axis)))


def unknown_sizes(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why elements cannot be followed through a reshape."""
    before, after = call.input_shapes[0], call.output_shape
    if min(len(before), len(after)) < 2:
        return f"'{call.layer.name}' reshapes a tensor without channels"
    if None in before[1:] or None in after[1:]:
        return f"'{call.layer.name}' reshapes a tensor of no fixed size {before}"
    if before[0] != after[0] or math.prod(_sizes(before)) != math.prod(_sizes(after)):
        return f"'{call.layer.name}' reshapes the batch axis"
    return None


def target_shape(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    """The ``target_shape`` of a Reshape layer, without the batch axis; it may be called on tensors of other sizes."""
    return {"target_shape": _with_open_axis(layer.target_shape, kept_shape(node, kept)[1:])}


def new_shape(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    """The ``newshape`` of a reshape operation."""
    batch, *given = layer.newshape
    open_batch = -1 if -1 not in given or batch is None else batch
    sizes = kept_shape(node, kept)[1:]
    return {"newshape": (open_batch, *(sizes if open_batch == -1 else _with_open_axis(given, sizes)))}


def _with_open_axis(given: Sequence[int | None], sizes: Shape) -> Shape:
    """Sizes with the -1 of the given shape, which stands for whatever a tensor has left."""
    return tuple(-1 if before == -1 else after for before, after in zip(given, sizes, strict=True))


def permuted(call: LayerCall, inputs: Sequence[Channels], order: Sequence[int]) -> tuple[Channels, ...]:
    """One output whose axis i is the input's axis ``order[i]``."""
    return (Channels(inputs[0].labels, list(order).index(inputs[0].axis)),)


def permute(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """The Permute layer."""
    return permuted(call, inputs, (0, *call.layer.dims))


def transpose_order(call: LayerCall) -> tuple[int, ...]:
    """For every axis of the output the axis of the input, of transpose, swapaxes and moveaxis."""
    rank, operation = len(call.output_shape), call.layer
    if hasattr(operation, "axes"):
        axes = operation.axes
        return tuple(range(rank))[::-1] if axes is None else tuple(axis % rank for axis in axes)
    marked = np.empty(tuple(range(1, rank + 1)))  # the size of an axis tells where it came from
    if hasattr(operation, "axis1"):
        moved = np.swapaxes(marked, operation.axis1, operation.axis2)
    else:
        moved = np.moveaxis(marked, operation.source, operation.destination)
    return tuple(size - 1 for size in moved.shape)


def transpose(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """transpose, swapaxes and moveaxis."""
    return permuted(call, inputs, transpose_order(call))


def moves_batch(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a transposition cannot be followed."""
    return None if transpose_order(call)[0] == 0 else f"'{call.layer.name}' moves the batch axis"


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """An ``axis`` option as axes counted from the first; None stands for all axes."""
    if axis is None:
        return tuple(range(rank))
    return tuple(int(a) % rank for a in (axis if isinstance(axis, list | tuple) else (axis,)))


def _squeezed(call: LayerCall) -> tuple[int, ...]:
    shape = call.input_shapes[0]
    if call.layer.axis is None:
        return tuple(axis for axis, size in enumerate(shape) if size == 1)
    return axes_of(call.layer.axis, len(shape))


def squeeze(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Removes axes of size one."""
    return (without_axes(inputs[0], _squeezed(call)),)


def squeezed_axes(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    """The axes of a squeeze that has named none: the channels that stay may be one."""
    return {"axis": tuple(axis for axis, size in enumerate(node.input_shapes[0]) if size == 1)}


def without_axes(channels: Channels, gone: Sequence[int]) -> Channels:
    """The channels of a tensor after it has lost some other axes than theirs."""
    return Channels(channels.labels, channels.axis - sum(axis < channels.axis for axis in gone))


def squeezes_channels(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why squeezing cannot be followed."""
    return f"'{call.layer.name}' removes the channel axis" if inputs[0].axis in _squeezed(call) else None


def expand_dims(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Adds axes of size one."""
    new = set(axes_of(call.layer.axis, len(call.output_shape)))
    old = [axis for axis in range(len(call.output_shape)) if axis not in new]
    return (Channels(inputs[0].labels, old[inputs[0].axis]),)


def repeat(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Repeats every element along an axis."""
    if call.layer.axis % len(call.input_shapes[0]) != inputs[0].axis:
        return (inputs[0],)
    return (Channels(np.repeat(inputs[0].labels, call.layer.repeats), inputs[0].axis),)


def odd_repeat(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a repetition cannot follow the channels that stay."""
    if call.layer.axis is None or not isinstance(call.layer.repeats, int):
        return f"'{call.layer.name}' repeats elements unevenly"
    return None


def flip(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Reversal of an axis."""
    if inputs[0].axis in axes_of(call.layer.axis, len(call.output_shape)):
        return (Channels(inputs[0].labels[::-1], inputs[0].axis),)
    return (inputs[0],)


def pads_channels(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why padding cannot be followed."""
    widths = call.layer.pad_width
    per_axis = list(widths) * len(call.output_shape) if len(widths) == 1 else list(widths)
    if any(per_axis[0]) or any(per_axis[inputs[0].axis]):
        return f"'{call.layer.name}' pads the channels or the batch"
    return None


def depth_to_space(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Blocks of channels become positions (pixel shuffle): channel i of every block is coupled with those of all."""
    blocks = inputs[0].labels.reshape(call.layer.block_size**2, -1)
    return (Channels(coupling.couple(blocks), inputs[0].axis),)


def space_to_depth(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Positions become blocks of channels."""
    return (Channels(np.tile(inputs[0].labels, call.layer.block_size**2), inputs[0].axis),)
