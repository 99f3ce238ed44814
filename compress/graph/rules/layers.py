"""What each Keras layer type does to channels: the table of the rules, and which of them holds for a layer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compress.graph.coupling import Channels, Coupling, Labels
from compress.graph.group import KeptChannels, Node
from compress.graph.rules.layer_rule import (
    LayerCall,
    LayerRule,
    Roles,
    along_last_axis,
    config_with,
    pass_on,
    pass_on_last,
)
from compress.graph.rules.merging import concatenate, merge
from compress.graph.rules.normalizing import (
    kept_groups,
    kept_scale,
    kept_statistics,
    normalize_groups,
    normalizes_across_channels,
    normalizes_another_axis,
    normalizes_in_one_group,
)
from compress.graph.rules.operations import is_elementwise, operation_rule
from compress.graph.rules.reshaping import permute, reshape, target_shape, unknown_sizes

CHANNEL_MIXING = ("softmax", "log_softmax", "glu", "sparsemax")


def _mixes_channels(call: LayerCall) -> str | None:
    """Why the layer's activation is not known to act on every channel alone."""
    activation = call.layer.activation
    if type(activation) in _ACTIVATIONS:
        return None
    name = getattr(activation, "__name__", type(activation).__name__)
    if name in CHANNEL_MIXING:
        return f"the {name} of '{call.layer.name}' mixes channels"
    if activation is getattr(keras.activations, name, None):
        return None
    if activation is getattr(keras.ops, name, None) and is_elementwise(name):
        return None
    return f"the activation {name} of '{call.layer.name}' is not one of Keras's, and may mix channels"


def _activation_mixes(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    return _mixes_channels(call)


def _softmax_mixes(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    axis = call.layer.axis
    mixed = {a % len(call.output_shape) for a in (axis if isinstance(axis, list | tuple) else (axis,))}
    return f"the softmax of '{call.layer.name}' mixes channels" if inputs[0].axis in mixed else None


def _activated(call: LayerCall, output: Labels, coupling: Coupling) -> tuple[Channels, ...]:
    reason = _mixes_channels(call)
    if reason is not None:
        coupling.freeze(output, reason)
    return along_last_axis(call, output)


def _produce(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    return _activated(call, coupling.fresh(int(call.output_shape[-1] or 0)), coupling)


def _convolve_groups(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """Channel i of every group is coupled with channel i of all others, so that every group keeps as many."""
    (output,) = _produce(call, inputs, coupling)
    for labels in (inputs[0].labels, output.labels):
        coupling.couple(labels.reshape(call.layer.groups, -1))
    return (output,)


def _convolve_depthwise(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    times = int(call.output_shape[-1] or 0) // max(inputs[0].size, 1)
    return _activated(call, np.repeat(inputs[0].labels, times), coupling)


def _kept_single_channel_groups(layer: Any, node: Node, kept: KeptChannels) -> dict[str, Any]:
    return {"groups": int(kept[node.inputs[0]].sum()), "filters": int(kept[node.output].sum())}


def _shared_alpha(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    if call.layer.alpha.shape[-1] == inputs[0].size:
        return None
    return f"'{call.layer.name}' (PReLU) shares its slopes between channels"


def _noise_by_channel(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    shape = getattr(call.layer, "noise_shape", None)
    if shape is None or shape[inputs[0].axis] in (None, 1):
        return None
    return f"'{call.layer.name}' ({type(call.layer).__name__}) has a noise_shape with the number of channels"


def _affine(rank: int, kernel: Roles = ("in", "out"), width: str = "filters") -> LayerRule:
    """Convolutions of so many spatial axes, transposed ones and dense layers."""
    return LayerRule(
        _produce,
        weights={"kernel": (None,) * rank + kernel, "bias": ("out",)},
        resize=config_with(width),
        produces=True,
        scored=("kernel", "out"),
    )


def _depthwise(rank: int) -> LayerRule:
    weights: dict[str, Roles] = {"kernel": (None,) * rank + ("in", None), "bias": ("out",)}
    return LayerRule(_convolve_depthwise, weights=weights, scored=("kernel", "in"))


def _separable(rank: int) -> LayerRule:
    spatial = (None,) * rank
    return LayerRule(
        _produce,
        weights={
            "depthwise_kernel": (*spatial, "in", None),
            "pointwise_kernel": (*spatial, "deep", "out"),
            "bias": ("out",),
        },
        resize=config_with("filters"),
        produces=True,
        scored=("pointwise_kernel", "out"),
    )


def _layers(*names: str, ranks: Sequence[int] = ()) -> list[type]:
    """Layer types by name; with ranks, those of that many spatial axes. A Keras that lacks one has no rule for it."""
    full = [f"{name}{rank}D" for name in names for rank in ranks] if ranks else names
    return [getattr(keras.layers, name) for name in full if hasattr(keras.layers, name)]


_VECTOR: Roles = ("out",)
_ELEMENTWISE = LayerRule(pass_on, any_axis=True)
_SPATIAL = LayerRule(pass_on_last)
_MERGE = LayerRule(merge, several=True, merges=True, any_axis=True)
_NO_CHANNELS: Roles = (None,)
_ACTIVATIONS = _layers("ReLU", "LeakyReLU", "ELU", "Identity")

RULES: dict[type, LayerRule] = {
    **{getattr(keras.layers, f"Conv{rank}D"): _affine(rank) for rank in (1, 2, 3)},
    **{getattr(keras.layers, f"Conv{rank}DTranspose"): _affine(rank, ("out", "in")) for rank in (1, 2, 3)},
    **{getattr(keras.layers, f"DepthwiseConv{rank}D"): _depthwise(rank) for rank in (1, 2)},
    **{getattr(keras.layers, f"SeparableConv{rank}D"): _separable(rank) for rank in (1, 2)},
    keras.layers.Dense: _affine(0, width="units"),
    keras.layers.BatchNormalization: LayerRule(
        pass_on,
        normalizes_another_axis,
        weights={"gamma": _VECTOR, "beta": _VECTOR, "moving_mean": _VECTOR, "moving_variance": _VECTOR},
    ),
    keras.layers.GroupNormalization: LayerRule(
        normalize_groups,
        normalizes_in_one_group,
        weights={"gamma": _VECTOR, "beta": _VECTOR},
        resize=kept_groups,
    ),
    keras.layers.LayerNormalization: LayerRule(
        pass_on, normalizes_across_channels, weights={"gamma": _NO_CHANNELS, "beta": _NO_CHANNELS}
    ),
    keras.layers.RMSNormalization: LayerRule(pass_on, normalizes_across_channels, weights={"scale": _NO_CHANNELS}),
    # The norm of a vector does not notice a channel of zeros.
    keras.layers.UnitNormalization: LayerRule(pass_on, any_axis=True),
    keras.layers.Normalization: LayerRule(
        pass_on,
        normalizes_another_axis,
        weights={"adapt_mean": _VECTOR, "adapt_variance": _VECTOR, "count": ()},
        resize=kept_statistics,
    ),
    keras.layers.Rescaling: LayerRule(pass_on, resize=kept_scale),
    keras.layers.PReLU: LayerRule(pass_on, _shared_alpha, weights={"alpha": _VECTOR}),
    keras.layers.Activation: LayerRule(pass_on, _activation_mixes, any_axis=True),
    keras.layers.Softmax: LayerRule(pass_on, _softmax_mixes, any_axis=True),
    **dict.fromkeys(_layers("Dropout", "AlphaDropout"), LayerRule(pass_on, _noise_by_channel, any_axis=True)),
    keras.layers.Flatten: LayerRule(reshape, unknown_sizes, any_axis=True),
    keras.layers.Reshape: LayerRule(reshape, unknown_sizes, resize=target_shape, any_axis=True),
    keras.layers.Permute: LayerRule(permute, any_axis=True),
    keras.layers.RepeatVector: LayerRule(pass_on_last),
    keras.layers.Concatenate: LayerRule(concatenate, several=True, any_axis=True),
    **dict.fromkeys(_layers("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _MERGE),
    **dict.fromkeys(
        [
            *_ACTIVATIONS,
            *_layers("ActivityRegularization", "GaussianDropout", "GaussianNoise"),
        ],
        _ELEMENTWISE,
    ),
    **dict.fromkeys(
        [
            *_layers("SpatialDropout", "MaxPooling", "AveragePooling", ranks=(1, 2, 3)),
            *_layers("GlobalMaxPooling", "GlobalAveragePooling", ranks=(1, 2, 3)),
            *_layers("AdaptiveMaxPooling", "AdaptiveAveragePooling", ranks=(1, 2, 3)),
            *_layers("ZeroPadding", "Cropping", "UpSampling", ranks=(1, 2, 3)),
            *_layers("Resizing", "CenterCrop", "RandomCrop", "RandomFlip", "RandomRotation", "RandomShear"),
            *_layers("RandomTranslation", "RandomZoom", "RandomBrightness", "RandomPerspective"),
        ],
        _SPATIAL,
    ),
}

_OF_APPLICATIONS: Mapping[str, LayerRule] = {
    "convnext.LayerScale": LayerRule(pass_on, weights={"gamma": _VECTOR}, resize=config_with("projection_dim")),
    "convnext.StochasticDepth": _ELEMENTWISE,
    "inception_resnet_v2.CustomScaleLayer": _MERGE,
}
"""Layers that keras.applications define for themselves and do not export, by module and class name."""


def rule_for(layer: Any) -> LayerRule | None:
    """The rule of exactly this type, or None: a subclass may compute anything, so it does not inherit a rule.

    A layer type of the user's own that declares ``keeps_channels = True`` promises that channel i of its output, along
    the last axis, depends on channel i of its only input alone, and has no weights.
    """
    kind = type(layer)
    rule = RULES.get(kind) or operation_rule(layer)
    if rule is None and kind.__module__.startswith("keras.src.applications."):
        rule = _OF_APPLICATIONS.get(f"{kind.__module__.removeprefix('keras.src.applications.')}.{kind.__name__}")
    if rule is None and getattr(kind, "keeps_channels", False) is True:
        return _SPATIAL
    return _grouped(layer, rule) if rule is not None and getattr(layer, "filters", None) else rule


def _grouped(layer: Any, rule: LayerRule) -> LayerRule:
    """The rule of a convolution with its number of groups."""
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return rule
    spatial = (None,) * (len(layer.kernel.shape) - 2)
    if layer.kernel.shape[-2] == 1:
        # One input channel for each group: a depthwise convolution by another name, of which whole groups may go.
        return LayerRule(
            _convolve_depthwise,
            weights={"kernel": (*spatial, None, "out"), "bias": ("out",)},
            resize=_kept_single_channel_groups,
            scored=("kernel", "out"),
        )
    weights: dict[str, Roles] = {"kernel": (*spatial, "group", "out"), "bias": ("out",)}
    return replace(rule, propagate=_convolve_groups, weights=weights)


def not_known(layer: Any) -> str:
    """The reason of a layer that no rule holds for."""
    return f"it touches '{layer.name}' ({type(layer).__name__}), whose effect on channels is not known"


def obstacle(call: LayerCall, rule: LayerRule | None, inputs: Sequence[Channels]) -> str | None:
    """Why nothing that this layer touches may be pruned, or None where its rule holds."""
    name, kind = call.layer.name, type(call.layer).__name__
    if rule is None:
        return not_known(call.layer)
    if getattr(call.layer, "data_format", None) not in (None, "channels_last"):
        return f"'{name}' uses data_format='{call.layer.data_format}'; only 'channels_last' is supported"
    if len(weights_of(call.layer, rule)) != len(getattr(call.layer, "weights", ())):
        return f"'{name}' ({kind}) holds weights that its type does not have"
    if len(inputs) > 1 and not rule.several:
        return f"'{name}' ({kind}) is called with {len(inputs)} tensors"
    return rule.obstacle(call, inputs)


def weights_of(layer: Any, rule: LayerRule) -> Mapping[str, Roles]:
    """Roles of all axes of the weights that this layer has, by attribute name."""
    roles_by_weight = {}
    for name, roles in rule.weights.items():
        weight = getattr(layer, name, None)
        if weight is not None:
            roles_by_weight[name] = (None,) * (len(weight.shape) - len(roles)) + roles
    return roles_by_weight
