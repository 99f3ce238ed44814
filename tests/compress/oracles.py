"""What a pruned model must compute, told from the original model alone."""

import inspect

import keras
import numpy as np

from compress.analysis import analyse
from compress.importance import group_scores
from compress.pruning import remove
from compress.walk import as_functional, calls
from tests.compress.models import images, outputs, randomized

SCORED = (keras.layers.Conv2D, keras.layers.Dense)


def mixed_ratios(graph, choices=(0.5, 0.3, 0.75, 0.0)):
    """A different ratio for each group."""
    return {group.name: choices[index % len(choices)] for index, group in enumerate(graph.groups)}


def kept_slots(model, graph, ratios):
    return graph.keep(ratios, {name: group_scores(model, graph, graph.group(name)) for name in ratios})


def duplicate(model):
    """A copy made without tuckprune."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def zeroed_in_place(model, graph, kept):
    """A copy in which everything that makes a removed channel is zero: filters, bias, gamma, beta and moving mean.

    Gives the pruned model's outputs where every layer between maps zero to zero.
    """
    copy = duplicate(model)
    for layer, site in _layers(copy, graph):
        gone = ~kept[site.output]
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = np.asarray(layer.kernel).copy()
            kernel.reshape(*kernel.shape[:2], -1)[..., gone] = 0
            _set(layer, "kernel", kernel)
        elif isinstance(layer, SCORED):
            kernel = np.asarray(layer.kernel).copy()
            kernel[..., gone] = 0
            _set(layer, "kernel", kernel)
        for name in ("bias", "gamma", "beta", "moving_mean"):
            if getattr(layer, name, None) is not None and gone.size == getattr(layer, name).shape[0]:
                value = np.asarray(getattr(layer, name)).copy()
                value[gone] = 0
                _set(layer, name, value)
    return copy


def unread(model, graph, kept):
    """A copy in which no convolution or dense layer reads a removed channel, whatever that channel holds."""
    copy = duplicate(model)
    for layer, site in _layers(copy, graph):
        if isinstance(layer, SCORED) and not isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = np.asarray(layer.kernel).copy()
            if kernel.shape[-2] == site.inputs[0].size:
                kernel[..., ~kept[site.inputs[0]], :] = 0
                _set(layer, "kernel", kernel)
    return copy


def _layers(model, graph):
    layers = {layer.name: layer for layer in model.layers}
    return [(layers[site.layer], site) for site in graph.sites if site.layer in layers]


def _set(layer, name, value):
    getattr(layer, name).assign(value)


def assert_same_outputs(actual, expected, x=None, tolerance=1e-4):
    x = images(expected) if x is None else x
    for got, wanted in zip(outputs(actual, x), outputs(expected, x), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def masked_outputs(model, graph, kept, x):
    """What the original model computes when every removed channel is set to zero after every call, call by call.

    Knows nothing of how a pruned model is made: only which channels each tensor has, and which of them stay.
    """
    x = x if isinstance(x, list) else [x]
    values = {id(tensor): keras.ops.convert_to_tensor(array) for tensor, array in zip(model.inputs, x, strict=True)}
    for call, site in zip(calls(model), graph.sites, strict=True):
        if call.is_input:
            continue
        args, kwargs = keras.tree.map_structure(
            lambda item: values[id(item)] if isinstance(item, keras.KerasTensor) else item, call.arguments
        )
        # As model(x, training=False) does, whatever the mode that a call was recorded with.
        mode = {"training": False} if "training" in inspect.signature(call.layer.call).parameters else {}
        found = keras.tree.flatten(call.layer(*args, **{**kwargs, **mode}))
        for tensor, value, slots, axis in zip(call.outputs, found, site.outputs, site.axes, strict=True):
            values[id(tensor)] = _masked(value, kept[slots], axis)
    return [np.asarray(values[id(tensor)]) for tensor in model.outputs]


def _masked(value, stays, axis):
    if np.all(stays):
        return value
    shape = [1] * len(value.shape)
    shape[axis] = -1
    return keras.ops.where(stays.reshape(shape), value, keras.ops.zeros_like(value))


def relative_error(actual, expected):
    """max |a - b| / max |b| over all outputs."""
    largest = max(float(np.max(np.abs(b))) for b in expected)
    return max(float(np.max(np.abs(a - b))) for a, b in zip(actual, expected, strict=True)) / largest


def assert_equals_masked(small, model, graph, kept, x=None, tolerance=1e-4):
    """The pruned model computes what the original does with the removed channels masked after every call."""
    x = images(model) if x is None else x
    assert relative_error(outputs(small, x), masked_outputs(model, graph, kept, x)) <= tolerance


def checked_prune(model, ratios=None, x=None):
    """Prune a model with random weights at mixed ratios and compare; returns the analysis and the pruned model."""
    source = as_functional(randomized(model))
    graph = analyse(source)
    ratios = mixed_ratios(graph) if ratios is None else ratios
    kept = kept_slots(source, graph, ratios)
    small = remove(source, graph, kept)
    assert_equals_masked(small, source, graph, kept, x)
    return graph, small
