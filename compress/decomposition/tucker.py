"""Tucker-2 decomposition of convolutions (Kim et al. 2016, "Compression of Deep Convolutional Neural Networks for Fast
and Low Power Mobile Applications")."""

import math
import warnings
from typing import Any

import numpy as np
from tensorly.decomposition import partial_tucker

from compress.cloning.layer_copy import copy_layer
from compress.cloning.layers import layers_by_name
from compress.cloning.rebuild import Chain
from compress.cloning.walk import as_functional
from compress.decomposition.factored_layer import BARE, FREE, POINTWISE, replace_layers
from compress.decomposition.kernel_bases import Array, BasesCache, KernelBases, as_kernel
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Node, Ranks, positions
from compress.graph.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX

MAX_SWEEPS = 100
TOLERANCE = 1e-4
"""The iteration stops when the relative error changes by less."""


_ROUNDED = 1e-5
"""By how much products of orthonormal columns may differ from 1 and 0."""


def tucker2(kernel: Array, rank_in: int, rank_out: int, cache: BasesCache | None = None) -> tuple[Array, Array, Array]:
    """Factors of a convolution kernel: kernel ~ core x_3 U_in x_4 U_out, both U of orthonormal columns.

    Different output channels of the core are orthogonal to each other (all-orthogonality, De Lathauwer et al.).

    Args:
        kernel: shape (kh, kw, in, out).
        rank_in: r_in, at most in.
        rank_out: r_out, at most out.
        cache: where the kernel's bases are looked up and kept.

    Returns:
        U_in (in, r_in), core (kh, kw, r_in, r_out), U_out (out, r_out).

    Raises:
        ModelError: values that are not finite.
    """
    values = as_kernel(kernel)
    bases = KernelBases.of(values) if cache is None else cache.of(values)
    u_in, u_out = _columns(bases.u_in, rank_in), _columns(bases.u_out, rank_out)
    # The best approximation of a matrix is its truncated SVD (Eckart & Young 1936): nothing is left to iterate.
    if values.shape[:2] != (1, 1):
        u_in, u_out = _iterate(values, u_in, u_out)
    return u_in, np.matmul(u_in.T, values) @ u_out, u_out


def _columns(basis: Array, rank: int) -> Array:
    """The first columns of an orthonormal basis; where it has fewer, orthonormal ones are added."""
    if rank <= basis.shape[1]:
        return basis[:, :rank]
    return np.concatenate([basis, np.linalg.qr(basis, mode="complete")[0][:, basis.shape[1] : rank]], axis=1)


def _iterate(kernel: Array, u_in: Array, u_out: Array) -> tuple[Array, Array]:
    """Factors after higher-order orthogonal iteration (HOOI) from starting factors.

    TensorLy improves the output channels last in every sweep, which makes the core's output channels orthogonal.
    """
    if not kernel.any():
        return u_in, u_out
    with warnings.catch_warnings():
        # A rank above the other's times the window: TensorLy warns that it adds random orthonormal columns.
        warnings.filterwarnings("ignore", message="Trying to compute SVD with n_eigenvecs", category=UserWarning)
        (_, factors), _ = partial_tucker(
            kernel,
            rank=[u_in.shape[1], u_out.shape[1]],
            modes=[2, 3],
            init=(None, [u_in, u_out]),
            n_iter_max=MAX_SWEEPS,
            tol=TOLERANCE,
            random_state=0,
        )
    return _orthonormal(factors[0]), _orthonormal(factors[1])


def _orthonormal(factor: Array) -> Array:
    """A factor (channels, rank) as it is where its columns are orthonormal, else with those that are next to them.

    TensorLy divides by singular values: of a rank that the other one's window does not fill, some are next to nothing.
    """
    if np.abs(factor.T @ factor - np.eye(factor.shape[1])).max() < _ROUNDED:
        return factor
    columns, triangle = np.linalg.qr(factor)
    return np.asarray(columns * np.where(np.diag(triangle) < 0, -1, 1), factor.dtype)


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
    """The three unbuilt layers that replace a convolution, built or not."""
    rank_in, rank_out = ranks
    name = layer.name
    return [
        copy_layer(layer, **BARE, **POINTWISE, name=name + FIRST_SUFFIX, filters=rank_in),
        copy_layer(layer, **BARE, name=name + CORE_SUFFIX, filters=rank_out),
        copy_layer(layer, **FREE, **POINTWISE, name=name + LAST_SUFFIX),
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


def tucker_saves(node: Node, in_channels: int, out_channels: int, ranks: tuple[int, int]) -> bool:
    """Whether Tucker-2 at these ranks needs both fewer multiply-accumulates and fewer weights than the convolution.

    Args:
        node: the convolution in its model.
        in_channels: its input channels, after pruning where it is pruned first.
        out_channels: its output channels, after pruning where it is pruned first.
        ranks: (In Rank, Out Rank).
    """
    kernel = node.weight("kernel")
    window = math.prod(kernel.shape[:2]) if kernel is not None else 1
    before, after = positions(node.input_shapes[0]), positions(node.output_shape)
    rank_in, rank_out = ranks
    weights = (in_channels * rank_in, window * rank_in * rank_out, rank_out * out_channels)
    macs = weights[0] * before + (weights[1] + weights[2]) * after
    whole = window * in_channels * out_channels
    return sum(weights) < whole and macs < whole * after
