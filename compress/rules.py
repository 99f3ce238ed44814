"""What each Keras layer type does to channels: one pure function and one weight layout per type."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from compress.slot_space import Labels, SlotSpace

Roles = tuple[str | None, ...]
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class LayerCall:
    """A layer at one place of the model, with the shapes it has there (batch axis first, ``None``)."""

    layer: Any
    input_shapes: tuple[Shape, ...]
    output_shape: Shape


Propagate = Callable[[LayerCall, Sequence[Labels], SlotSpace], Labels]


@dataclass(frozen=True)
class LayerRule:
    """How a layer type treats channels.

    Attributes:
        propagate: labels of the inputs -> labels of the output; may unify or freeze labels.
        weights: roles of the axes of each weight, by attribute name.
        width: configuration key that holds the number of output channels, for types that produce new channels.
        scored: weight and axis role by which a channel's importance is measured.
        merges: whether the type joins several tensors channel by channel.
    """

    propagate: Propagate
    weights: Mapping[str, Roles] = field(default_factory=dict)
    width: str | None = None
    scored: tuple[str, str] | None = None
    merges: bool = False


def _pass(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    return inputs[0]


def _normalize(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    if not _is_channel_axis(call.layer.axis, call.output_shape):
        space.freeze(inputs[0], f"'{call.layer.name}' normalizes axis {call.layer.axis}, not the channels")
    return inputs[0]


def _is_channel_axis(axis: int, shape: Shape) -> bool:
    return axis in (-1, len(shape) - 1)


def _activate(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    _freeze_channel_mixing(call.layer, inputs[0], space)
    return inputs[0]


def _freeze_channel_mixing(layer: Any, labels: Labels, space: SlotSpace) -> None:
    name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    if name in CHANNEL_MIXING:
        space.freeze(labels, f"the {name} of '{layer.name}' mixes channels")


def _produce(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    output = space.fresh(int(call.output_shape[-1] or 0))
    _freeze_channel_mixing(call.layer, output, space)
    return output


def _convolve(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    output = _produce(call, inputs, space)
    if call.layer.groups != 1:
        reason = f"'{call.layer.name}' is a grouped convolution (groups={call.layer.groups})"
        space.freeze(inputs[0], reason)
        space.freeze(output, reason)
    return output


def _depthwise(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    output = np.repeat(inputs[0], call.layer.depth_multiplier)
    _freeze_channel_mixing(call.layer, output, space)
    return output


def _merge(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    widest = max(inputs, key=len)
    for labels in inputs:
        if len(labels) == len(widest):
            space.unify(widest, labels)
        else:
            space.freeze(labels, f"'{call.layer.name}' broadcasts it over {len(widest)} channels")
    return widest


def _concatenate(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    if _is_channel_axis(call.layer.axis, call.output_shape):
        return np.concatenate(inputs)
    return _merge(call, inputs, space)


def _flatten(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    positions = math.prod(int(size or 0) for size in call.input_shapes[0][1:-1])
    return np.tile(inputs[0], positions)


CHANNEL_MIXING = ("softmax", "log_softmax", "glu", "sparsemax")
_ELEMENTWISE = LayerRule(_pass)
_MERGE = LayerRule(_merge, merges=True)
_VECTOR: Roles = ("in",)

RULES: dict[type, LayerRule] = {
    keras.layers.Conv2D: LayerRule(
        _convolve,
        weights={"kernel": (None, None, "in", "out"), "bias": ("out",)},
        width="filters",
        scored=("kernel", "out"),
    ),
    keras.layers.Dense: LayerRule(
        _produce,
        weights={"kernel": ("in", "out"), "bias": ("out",)},
        width="units",
        scored=("kernel", "out"),
    ),
    keras.layers.DepthwiseConv2D: LayerRule(
        _depthwise,
        weights={"kernel": (None, None, "in", None), "bias": ("out",)},
        scored=("kernel", "in"),
    ),
    keras.layers.BatchNormalization: LayerRule(
        _normalize,
        weights={"gamma": _VECTOR, "beta": _VECTOR, "moving_mean": _VECTOR, "moving_variance": _VECTOR},
    ),
    keras.layers.Activation: LayerRule(_activate),
    keras.layers.Flatten: LayerRule(_flatten),
    keras.layers.Concatenate: LayerRule(_concatenate),
    **dict.fromkeys(
        (
            keras.layers.Add,
            keras.layers.Subtract,
            keras.layers.Multiply,
            keras.layers.Average,
            keras.layers.Maximum,
            keras.layers.Minimum,
        ),
        _MERGE,
    ),
    **dict.fromkeys(
        (
            keras.layers.ReLU,
            keras.layers.LeakyReLU,
            keras.layers.ELU,
            keras.layers.Identity,
            keras.layers.Dropout,
            keras.layers.SpatialDropout2D,
            keras.layers.GaussianDropout,
            keras.layers.GaussianNoise,
            keras.layers.MaxPooling2D,
            keras.layers.AveragePooling2D,
            keras.layers.GlobalMaxPooling2D,
            keras.layers.GlobalAveragePooling2D,
            keras.layers.ZeroPadding2D,
            keras.layers.Cropping2D,
            keras.layers.UpSampling2D,
        ),
        _ELEMENTWISE,
    ),
}


def rule_for(layer: Any) -> LayerRule | None:
    """The rule of exactly this type, or None: a subclass may compute anything, so it does not inherit a rule."""
    return RULES.get(type(layer))
