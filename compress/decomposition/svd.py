"""Truncated SVD of pointwise convolutions and dense layers: two layers with r channels between them.

The best approximation of rank r (Eckart & Young 1936); for layers of networks: Denton et al. 2014, "Exploiting Linear
Structure Within Convolutional Networks for Efficient Evaluation".
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from compress.cloning.layer_copy import copy_layer
from compress.cloning.layers import layers_by_name
from compress.cloning.rebuild import Chain
from compress.cloning.walk import as_functional
from compress.decomposition.factored_layer import BARE, FREE, POINTWISE, checked_rank, replace_layers
from compress.decomposition.kernel_bases import Array
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Node
from compress.graph.naming import SVD_SUFFIXES


def decompose_svd(model: Any, ranks: Mapping[str, int]) -> Any:
    """Replace every named pointwise convolution or dense layer by two: in -> r -> out.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        ranks: r by layer name, at most the smaller of the layer's input and output channels.

    Returns:
        A new functional model, not compiled. The new layers are ``<layer>_svd_0`` and ``_1``: the first takes the
        stride, the second the bias and the activation.

    Raises:
        ModelError: the model's layer graph cannot be read, or a kernel is not finite.
        ParameterError: an unknown layer, one that has no matrix to decompose, or a rank above its channels.
    """
    source = as_functional(model)
    graph = analyse(source)
    for name, rank in ranks.items():
        checked_rank(name, rank, min(_matrix_shape(graph, name)))
    layers = layers_by_name(source)
    chains = {name: _chain(layers[name], rank) for name, rank in ranks.items()}
    return replace_layers(source, chains, lambda name, kernel: svd_kernels(kernel, ranks[name]))


def svd_kernels(kernel: Array, rank: int) -> tuple[Array, Array]:
    """Kernels of the two layers for a kernel (1, 1, in, out) or (in, out).

    The first has orthonormal columns; the second carries the singular values, and so the norms of the filters.

    Returns:
        Shapes (..., in, r) and (..., r, out) with the kernel's leading axes.
    """
    u, values, vt = np.linalg.svd(kernel.reshape(kernel.shape[-2:]), full_matrices=False)
    leading = kernel.shape[:-2]
    second = values[:rank, None] * vt[:rank]
    return u[:, :rank].reshape(*leading, -1, rank), second.reshape(*leading, rank, -1)


def svd_layers(graph: ChannelGraph) -> dict[str, tuple[int, int]]:
    """(input, output) channels of every layer that ``decompose_svd`` may replace, by name, in topological order."""
    nodes = [node for node in graph.nodes if not node.repeated and _reason(graph, node) is None]
    return {node.layer: _matrix_shape(graph, node.layer) for node in nodes}


def svd_saves(channels_in: int, channels_out: int, rank: int) -> bool:
    """Whether two layers of this rank need fewer weights, and so fewer multiply-accumulates, than the layer."""
    return rank * (channels_in + channels_out) < channels_in * channels_out


def _matrix_shape(graph: ChannelGraph, name: str) -> tuple[int, int]:
    node = graph.node(name)
    reason = _reason(graph, node)
    kernel = node.weight("kernel")
    if reason is not None or kernel is None:
        raise ParameterError(f"layer '{name}' cannot be decomposed by SVD: {reason}")
    return kernel.shape[-2], kernel.shape[-1]


def _reason(graph: ChannelGraph, node: Node) -> str | None:
    """Why a layer holds no matrix to decompose, or None where it does."""
    kernel = node.weight("kernel")
    if node.kind not in ("Dense", "Conv2D"):
        return f"it is a {node.kind}; SVD applies to dense layers and pointwise convolutions"
    if not node.understood or kernel is None:
        return "it holds weights that its type does not have"
    if node.layer.endswith(SVD_SUFFIXES):
        return "it is already a part of a decomposed layer"
    if node.kind == "Dense":
        return None
    if kernel.shape[:2] != (1, 1):
        return f"its window is {kernel.shape[0]}x{kernel.shape[1]}, not 1x1; use Tucker-2 or CP"
    return next((exclusion.reason for exclusion in graph.undecomposable if exclusion.name == node.layer), None)


def _chain(layer: Any, rank: int) -> Chain:
    names = [layer.name + suffix for suffix in SVD_SUFFIXES]
    if "units" in layer.get_config():
        return [copy_layer(layer, **BARE, name=names[0], units=rank), copy_layer(layer, **FREE, name=names[1])]
    return [
        copy_layer(layer, **BARE, name=names[0], filters=rank),
        copy_layer(layer, **FREE, **POINTWISE, name=names[1]),
    ]
