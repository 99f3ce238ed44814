"""Recommended ranks for SVD and CP, which have one rank a layer, by VBMF."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compress.cloning.layers import layers_by_name
from compress.cloning.walk import as_functional
from compress.decomposition.cp import cp_saves
from compress.decomposition.svd import svd_layers, svd_saves
from compress.graph.analysis import analyse
from compress.graph.group import Exclusion
from compress.recommend.vbmf import calibrated_rank, vbmf_conv_ranks, vbmf_rank


@dataclass(frozen=True)
class RecommendedRank:
    """A rank by layer, and the layers that are better left whole."""

    ranks: Mapping[str, int]
    left_whole: tuple[Exclusion, ...]


def recommend_svd_ranks(model: Any, calibration: float = 0.0) -> RecommendedRank:
    """VBMF ranks of pointwise convolutions and dense layers, for ``decompose_svd``.

    Args:
        model: a functional or Sequential Keras model.
        calibration: c in [-1, 1]; rank' = rank + trunc((channels - rank) * c) for c >= 0, see ``calibrated_rank``.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: a calibration ratio outside [-1, 1].
    """
    source = as_functional(model)
    layers = layers_by_name(source)
    ranks, left = {}, []
    for name, channels in svd_layers(analyse(source)).items():
        kernel = np.asarray(layers[name].kernel)
        rank = vbmf_rank(kernel.reshape(kernel.shape[-2:]))
        wanted = calibrated_rank(rank, min(channels), calibration)
        reason = _reason(rank, wanted, svd_saves(*channels, wanted))
        if reason is None:
            ranks[name] = wanted
        else:
            left.append(Exclusion(name, reason))
    return RecommendedRank(ranks, tuple(left))


def recommend_cp_ranks(model: Any, calibration: float = 0.0) -> RecommendedRank:
    """Ranks of convolutions with a window, for ``decompose_cp``: the larger of VBMF's ranks of both unfoldings.

    A CP decomposition needs no fewer components than the rank of any unfolding, and often more.

    Args:
        model: a functional or Sequential Keras model.
        calibration: c in [-1, 1]; above 0 adds this part of what is missing to the layer's wider side.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: a calibration ratio outside [-1, 1].
    """
    source = as_functional(model)
    graph, layers = analyse(source), layers_by_name(source)
    ranks, left = {}, []
    for convolution in graph.decomposable:
        name = convolution.layer
        if tuple(layers[name].kernel_size) == (1, 1):
            left.append(Exclusion(name, "its window is 1x1; use SVD"))
            continue
        vbmf = vbmf_conv_ranks(np.asarray(layers[name].kernel))
        widest = max(convolution.in_channels, convolution.out_channels)
        wanted = calibrated_rank(max(vbmf), widest, calibration)
        reason = _reason(min(vbmf), wanted, cp_saves(graph.node(name), wanted))
        if reason is None:
            ranks[name] = wanted
        else:
            left.append(Exclusion(name, reason))
    return RecommendedRank(ranks, tuple(left))


def _reason(rank: int, wanted: int, saves: bool) -> str | None:
    if rank == 0:
        return "VBMF finds no signal in it (rank 0)"
    return None if saves else f"rank {wanted} would not make it cheaper"
