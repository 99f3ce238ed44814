"""What the operations of ``keras.ops`` do to channels when they are written on symbolic tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compress.cloning.nodes import arguments_of, nodes_of
from compress.graph.coupling import Channels, Coupling
from compress.graph.rules.layer_rule import LayerCall, LayerRule, pass_on, pass_on_last
from compress.graph.rules.merging import concatenate, joins_constant, merge, stack, unusable_constant, without_removed
from compress.graph.rules.reshaping import (
    axes_of,
    depth_to_space,
    expand_dims,
    flip,
    moves_batch,
    new_shape,
    odd_repeat,
    pads_channels,
    repeat,
    reshape,
    space_to_depth,
    squeeze,
    squeezed_axes,
    squeezes_channels,
    transpose,
    unknown_sizes,
    without_axes,
)
from compress.graph.rules.slicing import (
    get_item,
    kept_slice,
    odd_slice,
    split,
    split_points,
    unstack,
    unstacks_channels,
)


def reduce_axes(call: LayerCall) -> tuple[int, ...]:
    """Axes over which a reduction runs."""
    return axes_of(call.layer.axis, len(call.input_shapes[0]))


def reduce(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """A reduction over positions keeps the channels; a sum over channels takes them all in, and leaves none."""
    axes = reduce_axes(call)
    if inputs[0].axis in axes:
        width = int(call.output_shape[-1] or 0) if len(call.output_shape) > 1 else 0
        labels = coupling.fixed(width, f"'{call.layer.name}' sums over channels")
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


def _acts_along_channels(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    if inputs[0].axis in axes_of(call.layer.axis, len(call.output_shape)):
        return f"'{call.layer.name}' ({type(call.layer).__name__}) mixes channels"
    return None


def _has_bounds_by_element(operation: Any) -> bool:
    return bool(np.ndim(operation.x_min) or np.ndim(operation.x_max))


def _bounds_by_channel(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    if _has_bounds_by_element(call.layer):
        return f"'{call.layer.name}' (Clip) has bounds of its own for some elements"
    return None


_ELEMENTWISE = LayerRule(pass_on, any_axis=True)
_SPATIAL = LayerRule(pass_on_last)
_MERGE = LayerRule(merge, unusable_constant, rewrite=without_removed, several=True, merges=True, any_axis=True)
_CLIP = LayerRule(pass_on, _bounds_by_channel, any_axis=True)
_REDUCTION = LayerRule(reduce, reduces_channels, any_axis=True)
_SQUEEZE = LayerRule(squeeze, squeezes_channels, any_axis=True)
_TRANSPOSITION = LayerRule(transpose, moves_batch, any_axis=True)
_ALONG_AN_AXIS = LayerRule(pass_on, _acts_along_channels, any_axis=True)

OPERATIONS: Mapping[str, LayerRule] = {
    **dict.fromkeys(
        (
            *("numpy.Add", "numpy.Subtract", "numpy.Multiply", "numpy.Divide", "numpy.TrueDivide", "numpy.Power"),
            *("numpy.Maximum", "numpy.Minimum", "numpy.Where", "numpy.DivideNoNan", "numpy.FloorDivide", "numpy.Mod"),
            *("numpy.Greater", "numpy.GreaterEqual", "numpy.Less", "numpy.LessEqual", "numpy.Equal", "numpy.NotEqual"),
            *("numpy.LogicalAnd", "numpy.LogicalOr", "numpy.LogicalXor", "numpy.Hypot", "numpy.Arctan2"),
        ),
        _MERGE,
    ),
    **dict.fromkeys(
        (
            *("numpy.Absolute", "numpy.Abs", "numpy.Negative", "numpy.Exp", "numpy.Expm1", "numpy.Log", "numpy.Log1p"),
            *("numpy.Sqrt", "numpy.Square", "numpy.Sign", "numpy.Sin", "numpy.Cos", "numpy.Tan", "numpy.Tanh"),
            *("numpy.Ceil", "numpy.Floor", "numpy.Round", "numpy.Reciprocal", "numpy.Copy"),
            *("numpy.LogicalNot", "numpy.ZerosLike", "numpy.OnesLike", "numpy.NanToNum", "numpy.Sinh", "numpy.Cosh"),
            *("nn.Relu", "nn.Relu6", "nn.Sigmoid", "nn.Softplus", "nn.Softsign", "nn.Silu", "nn.LogSigmoid"),
            *("nn.LeakyRelu", "nn.HardSigmoid", "nn.HardSilu", "nn.Elu", "nn.Selu", "nn.Gelu", "nn.Celu"),
            *("nn.HardTanh", "nn.TanhShrink", "nn.SoftShrink", "nn.HardShrink", "nn.Threshold", "nn.Squareplus"),
            *("core.Cast", "core.SaturateCast", "core.StopGradient", "math.Rsqrt", "math.Erf"),
        ),
        _ELEMENTWISE,
    ),
    **dict.fromkeys(
        (
            *("nn.MaxPool", "nn.AveragePool", "nn.AdaptiveMaxPool", "nn.AdaptiveAveragePool"),
            *("image.Resize", "image.PadImages", "image.CropImages"),
        ),
        _SPATIAL,
    ),
    **dict.fromkeys(("numpy.Mean", "numpy.Sum", "numpy.Max", "numpy.Min", "numpy.Amax", "numpy.Amin"), _REDUCTION),
    **dict.fromkeys(("numpy.Var", "numpy.Std", "numpy.Prod", "math.Logsumexp"), _REDUCTION),
    **dict.fromkeys(("numpy.Transpose", "numpy.Swapaxes", "numpy.Moveaxis"), _TRANSPOSITION),
    **dict.fromkeys(("nn.Softmax", "nn.LogSoftmax", "numpy.Cumsum", "numpy.Roll"), _ALONG_AN_AXIS),
    "numpy.Clip": _CLIP,
    "numpy.Reshape": LayerRule(reshape, unknown_sizes, resize=new_shape, any_axis=True),
    "numpy.Squeeze": _SQUEEZE,
    "numpy.ExpandDims": LayerRule(expand_dims, any_axis=True),
    "numpy.Concatenate": LayerRule(concatenate, joins_constant, several=True, any_axis=True),
    "numpy.Stack": LayerRule(stack, joins_constant, several=True, any_axis=True),
    "numpy.Split": LayerRule(split, resize=split_points, any_axis=True),
    "core.Unstack": LayerRule(unstack, unstacks_channels, any_axis=True),
    "nn.DepthToSpace": LayerRule(depth_to_space),
    "nn.SpaceToDepth": LayerRule(space_to_depth),
    "numpy.GetItem": LayerRule(get_item, odd_slice, rewrite=kept_slice, any_axis=True),
    "numpy.Repeat": LayerRule(repeat, odd_repeat, any_axis=True),
    "numpy.Flip": LayerRule(flip, any_axis=True),
    "numpy.Pad": LayerRule(pass_on, pads_channels, any_axis=True),
}
"""Rules by module and class name: Keras exports the functions, but not the classes of the nodes that they leave.

``keras.activations`` leaves two of its own, of relu and mish; the others are those of ``keras.ops``."""


def is_elementwise(function: Any) -> bool:
    """Whether a function or layer without weights computes every element from itself alone, as its operations tell.

    It is called on a symbolic tensor; one that does not run on it is not known to do so.
    """
    try:
        graphs = [_graph_of(function, channels) for channels in (3, 5)]
    except Exception:  # Whatever the function's own code raises.
        return False
    # One that computes with the number of channels would compute otherwise with those that stay.
    return _settings(graphs[0]) == _settings(graphs[1]) and all(map(_is_elementwise_call, nodes_of(graphs[0])))


def _graph_of(function: Any, channels: int) -> Any:
    """The operations that a function or layer calls on a tensor of so many channels."""
    tensor = keras.Input((2, channels))
    with keras.StatelessScope() as scope:
        output = function.call(tensor) if isinstance(function, keras.Layer) else function(tensor)
        graph = keras.Function(tensor, output)
    if scope.state_mapping:
        raise ValueError("it changes variables")
    return graph


def _settings(graph: Any) -> list[str]:
    """What every operation of a graph but its inputs is made and called with, besides tensors."""
    rows = []
    for node in nodes_of(graph):
        operation = node.operation
        made = operation.get_config() if isinstance(operation, keras.Layer) else vars(operation)
        made = {name: value for name, value in made.items() if name != "name" and not name.startswith("_")}
        called = [item for item in keras.tree.flatten(arguments_of(node)) if not isinstance(item, keras.KerasTensor)]
        rows.append("" if node.is_input else f"{type(operation).__name__} {made} {called}")
    return rows


def _is_elementwise_call(node: Any) -> bool:
    values = [item for item in keras.tree.flatten(arguments_of(node)) if not isinstance(item, keras.KerasTensor)]
    if node.is_input:
        return True
    if any(isinstance(value, keras.Variable) or np.ndim(value) for value in values):
        return False
    if isinstance(node.operation, keras.Layer):
        return type(node.operation) in (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.Multiply)
    rule = operation_rule(node.operation)
    return rule is _ELEMENTWISE or rule is _MERGE or (rule is _CLIP and not _has_bounds_by_element(node.operation))


def operation_rule(layer: Any) -> LayerRule | None:
    """The rule of an operation of ``keras.ops``, or None for layers and for operations that are not understood."""
    kind = type(layer)
    if isinstance(layer, keras.Layer):
        return None
    if kind.__module__ == "keras.src.activations.activations":
        return _ELEMENTWISE
    if not kind.__module__.startswith("keras.src.ops."):
        return None
    rule = OPERATIONS.get(f"{kind.__module__.removeprefix('keras.src.ops.')}.{kind.__name__}")
    return replace(rule, resize=squeezed_axes) if rule is _SQUEEZE and layer.axis is None else rule
