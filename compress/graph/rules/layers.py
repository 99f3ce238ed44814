"""What each Keras layer type does to channels: the table of the rules, and which of them holds for a layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from compress.cloning.layers import weight_of
from compress.cloning.tracing.traces import why_whole
from compress.cloning.user_rules import UserRule, has_rule, user_rule
from compress.errors import ModelError
from compress.graph.coupling import Channels
from compress.graph.rules.convolving import (
    ACTIVATIONS,
    affine,
    depthwise,
    grouped,
    layer_types,
    mixes_channels,
    separable,
)
from compress.graph.rules.layer_rule import (
    LayerCall,
    LayerRule,
    Roles,
    config_with,
    no_obstacle,
    pass_on,
    pass_on_last,
)
from compress.graph.rules.merging import concatenate, joins_constant, merge
from compress.graph.rules.normalizing import (
    across_channels,
    across_last_axis,
    across_one_group,
    kept_groups,
    kept_scale,
    kept_statistics,
    normalize_groups,
    normalizes_another_axis,
    with_axes,
)
from compress.graph.rules.operations import operation_rule
from compress.graph.rules.reshaping import permute, reshape, target_shape, unknown_sizes
from compress.graph.rules.time_distributed import at_one_step, inputs_at_one_step, over_time


def _activation_mixes(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    return mixes_channels(call)


def _softmax_mixes(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    axis = call.layer.axis
    mixed = {a % len(call.output_shape) for a in (axis if isinstance(axis, list | tuple) else (axis,))}
    return f"the softmax of '{call.layer.name}' mixes channels" if inputs[0].axis in mixed else None


def _shared_alpha(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    if call.layer.alpha.shape[-1] == inputs[0].size:
        return None
    return f"'{call.layer.name}' (PReLU) shares its slopes between channels"


def _noise_by_channel(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    shape = getattr(call.layer, "noise_shape", None)
    if shape is None or shape[inputs[0].axis] in (None, 1):
        return None
    return f"'{call.layer.name}' ({type(call.layer).__name__}) has a noise_shape with the number of channels"


_VECTOR: Roles = ("out",)
_ELEMENTWISE = LayerRule(pass_on, any_axis=True)
_SPATIAL = LayerRule(pass_on_last)
_MERGE = LayerRule(merge, joins_constant, several=True, merges=True, any_axis=True)

RULES: dict[type, LayerRule] = {
    **{getattr(keras.layers, f"Conv{rank}D"): affine(rank) for rank in (1, 2, 3)},
    **{getattr(keras.layers, f"Conv{rank}DTranspose"): affine(rank, ("out", "in")) for rank in (1, 2, 3)},
    # Keras 3.15 has none for volumes: there it is a Conv3D with a group for each channel.
    **{kind: depthwise(rank) for rank in (1, 2, 3) for kind in layer_types("DepthwiseConv", ranks=(rank,))},
    **{getattr(keras.layers, f"SeparableConv{rank}D"): separable(rank) for rank in (1, 2)},
    keras.layers.Dense: affine(0, width="units"),
    keras.layers.BatchNormalization: LayerRule(
        pass_on,
        normalizes_another_axis,
        weights={"gamma": _VECTOR, "beta": _VECTOR, "moving_mean": _VECTOR, "moving_variance": _VECTOR},
    ),
    keras.layers.GroupNormalization: LayerRule(
        normalize_groups,
        normalizes_another_axis,
        across_one_group,
        weights={"gamma": _VECTOR, "beta": _VECTOR},
        resize=kept_groups,
    ),
    keras.layers.LayerNormalization: LayerRule(
        pass_on, across=across_last_axis, weights={"gamma": _VECTOR, "beta": _VECTOR}
    ),
    keras.layers.RMSNormalization: LayerRule(pass_on, across=across_last_axis, weights={"scale": _VECTOR}),
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
    **dict.fromkeys(layer_types("Dropout", "AlphaDropout"), LayerRule(pass_on, _noise_by_channel, any_axis=True)),
    keras.layers.Flatten: LayerRule(reshape, unknown_sizes, any_axis=True),
    keras.layers.Reshape: LayerRule(reshape, unknown_sizes, resize=target_shape, any_axis=True),
    keras.layers.Permute: LayerRule(permute, any_axis=True),
    keras.layers.RepeatVector: LayerRule(pass_on_last),
    keras.layers.Concatenate: LayerRule(concatenate, joins_constant, several=True, any_axis=True),
    **dict.fromkeys(layer_types("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _MERGE),
    **dict.fromkeys(
        [
            *ACTIVATIONS,
            *layer_types("ActivityRegularization", "GaussianDropout", "GaussianNoise"),
        ],
        _ELEMENTWISE,
    ),
    **dict.fromkeys(
        [
            *layer_types("SpatialDropout", "MaxPooling", "AveragePooling", ranks=(1, 2, 3)),
            *layer_types("GlobalMaxPooling", "GlobalAveragePooling", ranks=(1, 2, 3)),
            *layer_types("AdaptiveMaxPooling", "AdaptiveAveragePooling", ranks=(1, 2, 3)),
            *layer_types("ZeroPadding", "Cropping", "UpSampling", ranks=(1, 2, 3)),
            *layer_types("Resizing", "CenterCrop", "RandomCrop", "RandomFlip", "RandomRotation", "RandomShear"),
            *layer_types("RandomTranslation", "RandomZoom", "RandomBrightness", "RandomPerspective"),
        ],
        _SPATIAL,
    ),
}

_OVER_AXES = layer_types("LayerNormalization", "RMSNormalization")

_OF_APPLICATIONS: Mapping[str, LayerRule] = {
    "convnext.LayerScale": LayerRule(pass_on, weights={"gamma": _VECTOR}, resize=config_with("projection_dim")),
    "convnext.StochasticDepth": _ELEMENTWISE,
    "inception_resnet_v2.CustomScaleLayer": _MERGE,
}
"""Layers that keras.applications define for themselves and do not export, by module and class name."""


def rule_for(layer: Any) -> LayerRule | None:
    """The rule of exactly this type, or None: a subclass may compute anything, so it does not inherit a rule.

    Layer classes of the user's own have the rule that ``compress.rule`` registered.
    """
    kind = type(layer)
    if kind is keras.layers.TimeDistributed:
        inner = rule_for(layer.layer)
        return None if inner is None else over_time(inner)
    rule = RULES.get(kind) or operation_rule(layer)
    if rule is None and kind.__module__.startswith("keras.src.applications."):
        rule = _OF_APPLICATIONS.get(f"{kind.__module__.removeprefix('keras.src.applications.')}.{kind.__name__}")
    users = user_rule(layer)
    if users is not None:
        return _users_rule(users)
    if rule is not None and kind in _OVER_AXES:
        return with_axes(layer, rule)
    return grouped(layer, rule) if rule is not None and getattr(layer, "filters", None) else rule


def _users_rule(rule: UserRule) -> LayerRule:
    """What the user said of a layer class, as a rule."""
    across = across_channels if rule.across_channels else no_obstacle
    resize = None if rule.size is None else config_with(rule.size)
    return LayerRule(pass_on_last, across=across, weights=rule.weights, resize=resize)


def not_known(layer: Any) -> str:
    """The reason of a layer that no rule holds for."""
    kind = type(layer).__name__
    if type(layer) is keras.layers.TimeDistributed:
        kind = f"{kind} of {type(layer.layer).__name__}"
    why = why_whole(layer)
    known = f"it touches '{layer.name}' ({kind}), whose effect on channels is not known"
    return known if why is None else f"{known}: {why}"


def misfit(layer: Any) -> str:
    """The reason of a layer that does something else than its rule says."""
    if has_rule(layer):
        name = f"'{layer.name}' ({type(layer).__name__})"
        return f"the rule for {name} names other channels than its weights or its output have"
    return not_known(layer)


def different_widths(layer: Any) -> str:
    """The reason of a layer that is called on tensors with different numbers of channels, and could not suit them."""
    return f"'{layer.name}' ({type(layer).__name__}) is shared by tensors of different widths"


def obstacle(call: LayerCall, rule: LayerRule | None, inputs: Sequence[Channels]) -> str | None:
    """Why nothing that this layer touches may be pruned, or None where its rule holds."""
    name, kind = call.layer.name, type(call.layer).__name__
    if rule is None:
        return not_known(call.layer)
    if type(call.layer) is keras.layers.TimeDistributed:
        reason = rule.obstacle(call, inputs)
        return reason or obstacle(at_one_step(call), rule_for(call.layer.layer), inputs_at_one_step(inputs))
    if getattr(call.layer, "data_format", None) not in (None, "channels_last"):
        return f"'{name}' uses data_format='{call.layer.data_format}'; only 'channels_last' is supported"
    if has_rule(call.layer):
        _check_weights(call.layer, rule)
    elif len(weights_of(call.layer, rule)) != len(getattr(call.layer, "weights", ())):
        return f"'{name}' ({kind}) holds weights that its type does not have"
    if len(inputs) > 1 and not rule.several:
        return f"'{name}' ({kind}) is called with {len(inputs)} tensors"
    return rule.obstacle(call, inputs)


def _check_weights(layer: Any, rule: LayerRule) -> None:
    """Refuse a layer of the user's own that has other weights than its rule names, or weights with fewer axes.

    Raises:
        ModelError: names the first of them.
    """
    what = f"'{layer.name}' ({type(layer).__name__})"
    for name, roles in rule.weights.items():
        if not hasattr(layer, name):
            raise ModelError(f"{what}: expected the weight '{name}' that its rule names, received a layer without it")
        rank = len(roles) if getattr(layer, name) is None else len(getattr(layer, name).shape)
        if len(roles) > rank:
            raise ModelError(f"{what}: expected at most {rank} axes of '{name}' in its rule, received {roles}")
    named = {id(getattr(layer, name)) for name in rule.weights}
    others = [weight for weight in layer.weights if id(weight) not in named]
    if others:
        raise ModelError(
            f"{what}: expected only weights that its rule names, received '{others[0].path}' of shape "
            f"{tuple(others[0].shape)}; add it to the weights of compress.rule, with () if it follows no channels"
        )


def weights_of(layer: Any, rule: LayerRule) -> Mapping[str, Roles]:
    """Roles of all axes of the weights that this layer has, by attribute name."""
    roles_by_weight = {}
    for name, roles in rule.weights.items():
        weight = weight_of(layer, name)
        if weight is not None:
            roles_by_weight[name] = (None,) * (len(weight.shape) - len(roles)) + roles
    return roles_by_weight
