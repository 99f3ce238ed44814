"""CP decomposition of convolutions: 1x1 to R channels, a depthwise window, 1x1 to the original channels.

Lebedev et al. 2015, "Speeding-up Convolutional Neural Networks Using Fine-tuned CP-Decomposition". They split the
window into a column and a row as well; here it stays whole, as a tensor of (window, in, out): TensorFlow's depthwise
convolutions have one stride for both directions, and a whole window needs one layer less and is never less exact.
"""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from tensorly.decomposition import parafac

from compress.cloning.layer_copy import copy_layer
from compress.cloning.layers import layers_by_name
from compress.cloning.rebuild import Chain
from compress.cloning.walk import as_functional
from compress.decomposition.factored_layer import BARE, FREE, POINTWISE, checked_rank, replace_layers
from compress.decomposition.kernel_bases import Array
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Node, positions
from compress.graph.naming import CP_SUFFIXES

SWEEPS = 200
TOLERANCE = 1e-6
"""Alternating least squares stop when the relative error changes by less."""

_RIDGE = 1e-9  # For a kernel of norm one: surplus components would make the least squares problems singular.


def decompose_cp(model: Any, ranks: Mapping[str, int]) -> Any:
    """Replace every named convolution by three: 1x1 to R, a depthwise kh x kw, 1x1 to the original channels.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        ranks: R by layer name, at most what any kernel of the layer's shape needs.

    Returns:
        A new functional model, not compiled. The new layers are ``<layer>_cp_0``, ``_1`` and ``_2``: the second takes
        stride, padding and dilation, the third the bias and the activation.

    Raises:
        ModelError: the model's layer graph cannot be read, or a kernel is not finite.
        ParameterError: an unknown or excluded layer, or a rank out of bounds.
    """
    source = as_functional(model)
    graph = analyse(source)
    layers = layers_by_name(source)
    for name, rank in ranks.items():
        checked_rank(name, rank, _most(graph, name, layers))
    chains = {name: _chain(layers[name], rank) for name, rank in ranks.items()}
    return replace_layers(source, chains, lambda name, kernel: cp_kernels(kernel, ranks[name]))


def cp_kernels(kernel: Array, rank: int) -> tuple[Array, Array, Array]:
    """Kernels of the three layers for a kernel (kh, kw, in, out), by alternating least squares.

    The filters of the first two have norm one; the third carries the magnitude.

    Returns:
        Shapes (1, 1, in, R), (kh, kw, R, 1) and (1, 1, R, out); kernel ~ sum_r a_ir b_hwr c_ro.
    """
    height, width, channels_in, channels_out = kernel.shape
    tensor = np.asarray(kernel, dtype=np.float64).reshape(height * width, channels_in, channels_out)
    scale = float(np.linalg.norm(tensor))
    if scale == 0:
        inner, window = np.full((channels_in, rank), channels_in**-0.5), np.full((height, width, rank, 1), 1.0)
        return inner[None, None], window / np.sqrt(height * width), np.zeros((1, 1, rank, channels_out))
    with warnings.catch_warnings():
        # More components than a mode has channels are legal: the surplus starts at random.
        warnings.filterwarnings("ignore", message="Trying to compute SVD with n_eigenvecs", category=UserWarning)
        tensor_factors = parafac(tensor / scale, rank, n_iter_max=SWEEPS, tol=TOLERANCE, l2_reg=_RIDGE, random_state=0)
    window, inner, outer = (np.asarray(factor) for factor in tensor_factors.factors)
    lengths = [np.linalg.norm(factor, axis=0) for factor in (window, inner)]
    third = (outer * (scale * lengths[0] * lengths[1])).T
    window, inner = (factor / (length + (length == 0)) for factor, length in zip((window, inner), lengths, strict=True))
    return inner[None, None], window.reshape(height, width, rank, 1), third[None, None]


def cp_saves(node: Node, rank: int) -> bool:
    """Whether CP at this rank needs both fewer multiply-accumulates and fewer weights than the convolution."""
    kernel = node.weight("kernel")
    if kernel is None:
        return False
    *window, channels_in, channels_out = kernel.shape
    before, after = positions(node.input_shapes[0]), positions(node.output_shape)
    rest = rank * (math.prod(window) + channels_out)
    whole = math.prod(kernel.shape)
    return channels_in * rank + rest < whole and channels_in * rank * before + rest * after < whole * after


def _most(graph: ChannelGraph, name: str, layers: Mapping[str, Any]) -> int:
    """The rank at which every kernel of the layer's shape is exact: the product of the two smallest modes."""
    convolution = graph.convolution(name)
    layer = layers[name]
    window = math.prod(int(size) for size in layer.kernel_size)
    if window == 1:
        raise ParameterError(f"layer '{name}' cannot be decomposed by CP: its window is 1x1; use SVD")
    if layer.strides[0] != layer.strides[1]:
        raise ParameterError(
            f"layer '{name}' cannot be decomposed by CP: its strides {layer.strides} differ, "
            "and depthwise convolutions have one; use Tucker-2"
        )
    smallest, second, _ = sorted((window, convolution.in_channels, convolution.out_channels))
    return smallest * second


def _chain(layer: Any, rank: int) -> Chain:
    config = layer.get_config()
    same = {key: config[key] for key in ("kernel_size", "strides", "padding", "dilation_rate", "dtype", "trainable")}
    depthwise = {"depthwise_regularizer": layer.kernel_regularizer, "use_bias": False}
    first, second, third = (layer.name + suffix for suffix in CP_SUFFIXES)
    return [
        copy_layer(layer, **BARE, **POINTWISE, name=first, filters=rank),
        keras.layers.DepthwiseConv2D.from_config({**same, **depthwise, "name": second}),
        copy_layer(layer, **FREE, **POINTWISE, name=third),
    ]
