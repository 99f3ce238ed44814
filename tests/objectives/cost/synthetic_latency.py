"""A law of latency that a table must reproduce: no clock, and bilinear in channels as the table supposes."""

from functools import cache

import keras
import numpy as np

from compress.cloning.walk import as_functional
from objectives.cost.latency import LatencySettings
from objectives.cost.latency_fit import measured_table

OVERHEAD, SCALE, CALL = 20.0, 1.25, 3.0


def microseconds(model):
    """Of a model, small ones for single layers included: whole models take longer than the sum of their layers."""
    model = as_functional(model)
    total = sum(of_layer(layer) for layer in model.layers)
    whole = sum(bool(layer.weights) for layer in model.layers) > 1
    return OVERHEAD + SCALE * total if whole else CALL + total


def of_layer(layer):
    """Of one call of a layer."""
    shape = layer.output.shape[1:]
    positions, channels = int(np.prod(shape[:-1])), shape[-1]
    if isinstance(layer, keras.layers.Conv2D):
        window, into, out = int(np.prod(layer.kernel_size)), layer.kernel.shape[2], layer.filters
        return 0.5 + positions * (0.02 * into + 0.05 * out + 0.001 * window * into * out)
    if isinstance(layer, keras.layers.Dense):
        return 0.25 + 0.01 * layer.kernel.shape[0] * layer.units
    if isinstance(layer, keras.layers.Add):
        return 0.1 + 0.002 * positions * channels
    if isinstance(layer, keras.layers.GlobalAveragePooling2D):
        return 0.2 + 0.03 * channels
    return 0.0


@cache
def table(name):
    """Of a model of tests.search.nets, measured by this law."""
    from tests.search.fixtures import nets

    return measured_table(nets.model(name), LatencySettings(), microseconds)
