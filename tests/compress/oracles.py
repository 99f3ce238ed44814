"""What a pruned model must compute, told from the original model alone."""

import keras
import numpy as np

from compress.importance import group_scores
from tests.compress.models import images, outputs

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
