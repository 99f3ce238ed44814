"""Keras layers for the TensorFlow operations that Keras 2 recorded in a model where a tensor was computed with."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from compress.errors import ModelError, excerpt

OP_CLASSES = ("TensorFlowOpLayer", "TFOpLambda")
"""Layer classes of TensorFlow 2.3, which keeps a graph node, and of 2.4 and later, which keep a function's name."""

_KINDS = {
    **dict.fromkeys(("Add", "AddV2", "__operators__.add", "math.add"), "add"),
    **dict.fromkeys(("Sub", "__operators__.sub", "math.subtract"), "subtract"),
    **dict.fromkeys(("Mul", "__operators__.mul", "math.multiply"), "multiply"),
    **dict.fromkeys(("RealDiv", "__operators__.truediv", "math.divide", "math.truediv"), "divide"),
    **dict.fromkeys(("ConcatV2", "concat"), "concat"),
    **dict.fromkeys(("Mean", "math.reduce_mean"), "mean"),
    **dict.fromkeys(("Relu", "nn.relu"), "relu"),
    **dict.fromkeys(("Relu6", "nn.relu6"), "relu6"),
    **dict.fromkeys(("Sigmoid", "math.sigmoid", "nn.sigmoid"), "sigmoid"),
    **dict.fromkeys(("Tanh", "math.tanh", "nn.tanh"), "tanh"),
}
_MERGES = {"add": keras.layers.Add, "subtract": keras.layers.Subtract, "multiply": keras.layers.Multiply}
_IMAGE_AXES = [1, 2]


def op_layer(name: str, config: Mapping[str, Any], operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """A Keras layer that computes what an operation does with its symbolic operands; constants become part of it.

    Args:
        name: of the layer.
        config: of the layer that recorded the operation.
        operands: tensors, in order; Python numbers and lists where the model has constants.
        options: the other arguments by name.

    Raises:
        ModelError: an operation, or constants of one, for which there is no layer.
    """
    node = config.get("node_def")
    operation = node.get("op") if isinstance(node, dict) else config.get("function")
    kind = _KINDS.get(str(operation))
    tensors = [operand for operand in operands if _is_tensor(operand)]
    layer = None
    if kind in ("add", "subtract", "multiply", "divide") and len(operands) == 2:
        layer = _arithmetic(name, kind, operands)
    elif kind == "concat":
        axis = options.get("axis", operands[-1])
        layer = keras.layers.Concatenate(axis=axis, name=name) if isinstance(axis, int) else None
    elif kind == "mean" and len(tensors) == 1:
        axes = options.get("axis", operands[-1])
        if axes == _IMAGE_AXES and len(tensors[0].shape) == 4:
            layer = keras.layers.GlobalAveragePooling2D(keepdims=_keeps_axes(node, options), name=name)
    elif kind is not None and len(operands) == 1:
        layer = keras.layers.ReLU(6.0, name=name) if kind == "relu6" else keras.layers.Activation(kind, name=name)
    if layer is None:
        raise ModelError(
            f"layer '{name}': no Keras layer computes the TensorFlow operation {excerpt(operation)} with "
            f"{len(tensors)} tensors and {excerpt([o for o in operands if not _is_tensor(o)])}; "
            "rebuild the model with Keras layers"
        )
    return layer


def _arithmetic(name: str, kind: str, operands: Sequence[Any]) -> Any:
    """A merge of two tensors, or a scaling of one; None where no layer computes it."""
    first, second = operands
    if _is_tensor(first) and _is_tensor(second):
        return _MERGES[kind](name=name) if kind in _MERGES else None
    constant = second if _is_tensor(first) else first
    if isinstance(constant, bool) or not isinstance(constant, int | float):
        return None
    scale_and_offset = {"add": (1.0, constant), "multiply": (constant, 0.0)}
    if constant is second:
        scale_and_offset["subtract"] = (1.0, -constant)
        if constant:
            scale_and_offset["divide"] = (1.0 / constant, 0.0)
    else:
        scale_and_offset["subtract"] = (-1.0, constant)
    if kind not in scale_and_offset:
        return None
    return keras.layers.Rescaling(*scale_and_offset[kind], name=name)


def _keeps_axes(node: Any, options: Mapping[str, Any]) -> bool:
    attributes = node.get("attr", {}) if isinstance(node, dict) else {}
    return bool(options.get("keepdims") or attributes.get("keep_dims", {}).get("b"))


def _is_tensor(operand: Any) -> bool:
    return isinstance(operand, keras.KerasTensor)
