"""Tucker-2 decomposition of convolutions (Kim et al. 2016) through TensorLy."""

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorly.decomposition import partial_tucker

from compress.analysis import analyse
from compress.errors import ParameterError
from compress.graph import ChannelGraph
from compress.group import Ranks, Site, positions
from compress.layer_copy import copy_layer, copy_weights
from compress.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX, SUFFIXES
from compress.rebuild import Chain, rebuild
from compress.walk import as_functional, layers_by_name

Array = NDArray[Any]


def decompose(model: Any, ranks: Ranks) -> Any:
    """Replace every named convolution by three: 1x1 to r_in, kh x kw to r_out, 1x1 to the original channels.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        ranks: (In Rank, Out Rank) by layer name.

    Returns:
        A new functional model, not compiled. The new layers are ``<layer>_tucker_0``, ``_1`` and ``_2``: the second
        takes stride, padding and dilation, the third the bias and the activation.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: an unknown or excluded layer, or a rank above the layer's channels.
    """
    source = as_functional(model)
    check_ranks(analyse(source), ranks)
    smaller = rebuild(
        source, lambda layer: _chain(layer, ranks[layer.name]) if layer.name in ranks else [copy_layer(layer)]
    )
    made = layers_by_name(smaller)
    for name, layer in layers_by_name(source).items():
        if name in ranks:
            _set_chain_weights(layer, [made[name + suffix] for suffix in SUFFIXES], ranks[name])
        else:
            copy_weights(layer, made[name])
    return smaller


def check_ranks(graph: ChannelGraph, ranks: Ranks) -> None:
    """Refuse ranks that do not fit the layers of a graph.

    Raises:
        ParameterError: an unknown or excluded layer, or a rank above the layer's channels.
    """
    for name, pair in ranks.items():
        layer = graph.convolution(name)
        for what, rank, channels in zip(("In", "Out"), pair, (layer.in_channels, layer.out_channels), strict=True):
            if rank > channels:
                raise ParameterError(
                    f"{what} Rank of '{name}': expected at most its {channels} {what.lower()}put channels, "
                    f"received {rank}; lower it"
                )


def tucker2(kernel: Array, rank_in: int, rank_out: int) -> tuple[Array, Array, Array]:
    """Factors of a convolution kernel: kernel ~ core x_3 U_in x_4 U_out.

    Args:
        kernel: shape (kh, kw, in, out).
        rank_in: r_in, at most in.
        rank_out: r_out, at most out.

    Returns:
        U_in (in, r_in), core (kh, kw, r_in, r_out), U_out (out, r_out).
    """
    with warnings.catch_warnings():
        # One rank above the window size times the other is legal: the surplus starts with a zero core.
        warnings.filterwarnings("ignore", message="Trying to compute SVD with n_eigenvecs", category=UserWarning)
        (core, (u_in, u_out)), _ = partial_tucker(
            np.asarray(kernel, dtype=np.float64), rank=[rank_in, rank_out], modes=[2, 3], init="svd", random_state=0
        )
    return np.asarray(u_in), np.asarray(core), np.asarray(u_out)


def _chain(layer: Any, ranks: tuple[int, int]) -> list[Any]:
    rank_in, rank_out = ranks
    name = layer.name
    bare = {"use_bias": False, "activation": "linear", "bias_regularizer": None, "activity_regularizer": None}
    pointwise = {"kernel_size": (1, 1), "strides": (1, 1), "dilation_rate": (1, 1), "padding": "valid"}
    return [
        copy_layer(layer, **bare, **pointwise, name=name + FIRST_SUFFIX, filters=rank_in),
        copy_layer(layer, **bare, name=name + CORE_SUFFIX, filters=rank_out),
        copy_layer(layer, **pointwise, name=name + LAST_SUFFIX),
    ]


def _set_chain_weights(layer: Any, chain: Chain, ranks: tuple[int, int]) -> None:
    u_in, core, u_out = tucker2(np.asarray(layer.kernel), *ranks)
    first, middle, last = chain
    first.kernel.assign(u_in[None, None])
    middle.kernel.assign(core)
    last.kernel.assign(u_out.T[None, None])
    if layer.use_bias:
        last.bias.assign(np.asarray(layer.bias))


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
