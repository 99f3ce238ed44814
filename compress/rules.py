"""What each Keras layer type does to channels: one pure function and one weight layout per type."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from compress.group import positions
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
Obstacle = Callable[[LayerCall], str | None]


def _none(call: LayerCall) -> str | None:
    return None


@dataclass(frozen=True)
class LayerRule:
    """How a layer type treats channels.

    Attributes:
        propagate: labels of the inputs -> labels of the output; may unify or freeze labels.
        obstacle: why the rule does not hold for this layer, which is then left whole with all that it touches.
        weights: roles of the axes of each weight, by attribute name.
        width: configuration key that holds the number of output channels, for types that produce new channels.
        scored: weight and axis role by which a channel's importance is measured.
        merges: whether the type joins several tensors channel by channel.
    """

    propagate: Propagate
    obstacle: Obstacle = _none
    weights: Mapping[str, Roles] = field(default_factory=dict)
    width: str | None = None
    scored: tuple[str, str] | None = None
    merges: bool = False


def _pass(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    return inputs[0]


def _is_channel_axis(axis: int, shape: Shape) -> bool:
    return axis in (-1, len(shape) - 1)


def _normalizes_another_axis(call: LayerCall) -> str | None:
    if _is_channel_axis(call.layer.axis, call.output_shape):
        return None
    return f"'{call.layer.name}' normalizes axis {call.layer.axis}, not the channels"


def _mixes_channels(call: LayerCall) -> str | None:
    """Why the layer's activation is not known to act on every channel alone."""
    activation = call.layer.activation
    if rule_for(activation) is _ELEMENTWISE:
        return None
    name = getattr(activation, "__name__", type(activation).__name__)
    if name in CHANNEL_MIXING:
        return f"the {name} of '{call.layer.name}' mixes channels"
    if activation in (getattr(keras.activations, name, None), getattr(keras.ops, name, None)):
        return None
    return f"the activation {name} of '{call.layer.name}' is not one of Keras's, and may mix channels"


def _produce(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    return _activated(call, space.fresh(int(call.output_shape[-1] or 0)), space)


def _convolve(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    output = _produce(call, inputs, space)
    if call.layer.groups != 1:
        for labels in (*inputs, output):
            space.freeze(labels, f"'{call.layer.name}' is a grouped convolution (groups={call.layer.groups})")
    return output


def _depthwise(call: LayerCall, inputs: Sequence[Labels], space: SlotSpace) -> Labels:
    return _activated(call, np.repeat(inputs[0], call.layer.depth_multiplier), space)


def _activated(call: LayerCall, output: Labels, space: SlotSpace) -> Labels:
    reason = _mixes_channels(call)
    if reason is not None:
        space.freeze(output, reason)
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
    # Channels vary fastest: position 0 holds channels 0, 1, ..., then position 1 does.
    return np.tile(inputs[0], positions(call.input_shapes[0]))


def _has_no_fixed_size(call: LayerCall) -> str | None:
    shape = call.input_shapes[0]
    return f"'{call.layer.name}' flattens a tensor of no fixed size {shape}" if None in shape[1:] else None


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
        _pass,
        _normalizes_another_axis,
        weights={"gamma": _VECTOR, "beta": _VECTOR, "moving_mean": _VECTOR, "moving_variance": _VECTOR},
    ),
    keras.layers.Activation: LayerRule(_pass, _mixes_channels),
    keras.layers.Flatten: LayerRule(_flatten, _has_no_fixed_size),
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
            keras.layers.ActivityRegularization,
            keras.layers.AlphaDropout,
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


def obstacle(call: LayerCall, rule: LayerRule | None) -> str | None:
    """Why nothing that this layer touches may be pruned, or None where its rule holds."""
    name, kind = call.layer.name, type(call.layer).__name__
    if rule is None:
        return f"it touches '{name}' ({kind}), whose effect on channels is not known"
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        return f"'{name}' uses data_format='{call.layer.data_format}'; only 'channels_last' is supported"
    if len(weights_of(call.layer, rule)) != len(call.layer.weights):
        return f"'{name}' ({kind}) holds weights that its type does not have"
    return rule.obstacle(call)


def weights_of(layer: Any, rule: LayerRule) -> Mapping[str, Roles]:
    """Roles of the axes of the weights that this layer has, by attribute name."""
    present = {name: roles for name, roles in rule.weights.items() if getattr(layer, name, None) is not None}
    if getattr(layer, "groups", 1) != 1:
        # An axis of a grouped kernel is a part of the channels; they are all frozen, so nothing has to follow them.
        return {name: (None,) * len(roles) for name, roles in present.items()}
    return present
