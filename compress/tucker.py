"""Tucker-2 decomposition of convolutions (Kim et al. 2016, "Compression of Deep Convolutional Neural Networks for Fast
and Low Power Mobile Applications")."""

import math
from typing import Any

import numpy as np

from compress.analysis import analyse
from compress.errors import ParameterError
from compress.factored_layer import BARE, POINTWISE, replace_layers
from compress.graph import ChannelGraph
from compress.group import Ranks, Site, positions
from compress.hooi import tucker2
from compress.kernel_bases import Array, BasesCache
from compress.layer_copy import copy_layer
from compress.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX
from compress.rebuild import Chain
from compress.walk import as_functional, layers_by_name


def decompose(model: Any, ranks: Ranks, *, cache: BasesCache | None = None) -> Any:
    """Replace every named convolution by three: 1x1 to r_in, kh x kw to r_out, 1x1 to the original channels.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        ranks: (In Rank, Out Rank) by layer name.
        cache: where the kernels' bases are kept, for a model that is decomposed again and again.

    Returns:
        A new functional model, not compiled. The new layers are ``<layer>_tucker_0``, ``_1`` and ``_2``: the second
        takes stride, padding and dilation, the third the bias and the activation.

    Raises:
        ModelError: the model's layer graph cannot be read, or a kernel is not finite.
        ParameterError: an unknown or excluded layer, or a rank above the layer's channels.
    """
    source = as_functional(model)
    check_ranks(analyse(source), ranks)
    layers = layers_by_name(source)
    chains = {name: tucker_chain(layers[name], pair) for name, pair in ranks.items()}
    return replace_layers(source, chains, lambda name, kernel: tucker_kernels(kernel, ranks[name], cache))


def check_ranks(graph: ChannelGraph, ranks: Ranks) -> None:
    """Refuse ranks that do not fit the layers of a graph.

    Raises:
        ParameterError: an unknown or excluded layer, or a rank above the layer's channels.
    """
    for name, pair in ranks.items():
        layer = graph.convolution(name)
        check_rank_pair(name, pair, (layer.in_channels, layer.out_channels))


def check_rank_pair(name: str, ranks: tuple[int, int], channels: tuple[int, int]) -> None:
    """Refuse (In Rank, Out Rank) above a layer's (input, output) channels.

    Raises:
        ParameterError: names the layer, the rank and the channels.
    """
    for what, rank, most in zip(("In", "Out"), ranks, channels, strict=True):
        if rank > most:
            raise ParameterError(
                f"{what} Rank of '{name}': expected at most its {most} {what.lower()}put channels, "
                f"received {rank}; lower it"
            )


def tucker_chain(layer: Any, ranks: tuple[int, int]) -> Chain:
    """The three unbuilt layers that replace a convolution, which need not be built either."""
    rank_in, rank_out = ranks
    name = layer.name
    return [
        copy_layer(layer, **BARE, **POINTWISE, name=name + FIRST_SUFFIX, filters=rank_in),
        copy_layer(layer, **BARE, name=name + CORE_SUFFIX, filters=rank_out),
        copy_layer(layer, **POINTWISE, name=name + LAST_SUFFIX),
    ]


def tucker_kernels(kernel: Array, ranks: tuple[int, int], cache: BasesCache | None = None) -> tuple[Array, ...]:
    """Kernels of the three layers, for a kernel (kh, kw, in, out): (1, 1, in, r_in), the core, (1, 1, r_out, out).

    The last kernel carries the magnitude: its filters have the norms of the convolution's filters as far as the ranks
    reproduce them, so that pruning a decomposed layer ranks them as before. The core's filters have norm one.
    """
    u_in, core, u_out = tucker2(kernel, *ranks, cache)
    core, last = _balanced(core, u_out.T)
    return u_in[None, None], core, last[None, None]


_SMALLEST = 1e-3  # Of the largest norm: rows that are nearly zero in both factors could no longer be trained.


def _balanced(core: Array, last: Array) -> tuple[Array, Array]:
    norms = np.sqrt(np.sum(np.square(core), axis=(0, 1, 2)))
    if not norms.any():
        return core, last
    norms = np.maximum(norms, _SMALLEST * norms.max())
    return core / norms, last * norms[:, None]


def tucker_saves(site: Site, in_channels: int, out_channels: int, ranks: tuple[int, int]) -> bool:
    """Whether Tucker-2 at these ranks needs both fewer multiply-accumulates and fewer weights than the convolution.

    Args:
        site: the convolution in its model.
        in_channels: its input channels, after pruning where it is pruned first.
        out_channels: its output channels, likewise.
        ranks: (In Rank, Out Rank).
    """
    kernel = site.weight("kernel")
    window = math.prod(kernel.shape[:2]) if kernel is not None else 1
    before, after = positions(site.input_shapes[0]), positions(site.output_shape)
    rank_in, rank_out = ranks
    weights = (in_channels * rank_in, window * rank_in * rank_out, rank_out * out_channels)
    macs = weights[0] * before + (weights[1] + weights[2]) * after
    whole = window * in_channels * out_channels
    return sum(weights) < whole and macs < whole * after
