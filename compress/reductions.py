"""Channels through reductions: over positions they stay, over channels only a sum does not notice one of zeros."""

from collections.abc import Sequence

from compress.layer_rule import LayerCall
from compress.reshaping import axes_of, without_axes
from compress.slot_space import Channels, SlotSpace


def reduce_axes(call: LayerCall) -> tuple[int, ...]:
    """Axes over which a reduction runs."""
    return axes_of(call.layer.axis, len(call.input_shapes[0]))


def reduce(call: LayerCall, inputs: Sequence[Channels], space: SlotSpace) -> tuple[Channels, ...]:
    """A reduction over positions keeps the channels; a sum over channels takes them all in, and leaves none."""
    axes = reduce_axes(call)
    if inputs[0].axis in axes:
        width = int(call.output_shape[-1] or 0) if len(call.output_shape) > 1 else 0
        labels = space.fixed(width, f"'{call.layer.name}' sums over channels")
        return (Channels(labels, len(call.output_shape) - 1),)
    return (inputs[0] if call.layer.keepdims else without_axes(inputs[0], axes),)


def reduces_channels(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why a reduction is not exact when a channel goes: only a sum does not notice a channel of zeros."""
    axes = reduce_axes(call)
    if 0 in axes:
        return f"'{call.layer.name}' reduces over the batch"
    if inputs[0].axis in axes and type(call.layer).__name__ != "Sum":
        return f"'{call.layer.name}' ({type(call.layer).__name__}) mixes channels"
    return None
