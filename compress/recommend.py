"""Recommended values, as NPTK's Simple mode has them: SLAMP for ratios, VBMF for ranks."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from compress.analysis import WIDEST_IMAGE, analyse
from compress.group import Exclusion, Ranks, Ratios
from compress.importance import group_energy
from compress.slamp import slamp_ratios
from compress.tucker import tucker_saves
from compress.vbmf import calibrated_rank, vbmf_conv_ranks
from compress.walk import as_functional, layers_by_name


@dataclass(frozen=True)
class RecommendedRanks:
    """Ranks by layer, and the convolutions that are better left whole."""

    ranks: Ranks
    left_whole: tuple[Exclusion, ...]


def recommend_ratios(model: Any, ratio: float) -> Ratios:
    """SLAMP: pruning ratios by group at a global fraction of channels removed; groups that lose nothing are left out.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: a ratio outside [0, 1).
    """
    source = as_functional(model)
    graph = analyse(source)
    energies = {group.name: group_energy(source, graph, group) for group in graph.groups}
    return {name: value for name, value in slamp_ratios(energies, ratio).items() if value > 0}


def vbmf_ranks(model: Any) -> Ranks:
    """VBMF's (In Rank, Out Rank) of every decomposable convolution, uncalibrated; 0 where no signal is found."""
    source = as_functional(model)
    layers = layers_by_name(source)
    return {
        layer.layer: vbmf_conv_ranks(np.asarray(layers[layer.layer].kernel)) for layer in analyse(source).decomposable
    }


def recommend_ranks(model: Any, calibration: float = 0.0, found: Ranks | None = None) -> RecommendedRanks:
    """VBMF ranks moved by a calibration ratio; convolutions of rank 0 or without saving are left whole and named.

    Args:
        model: a functional or Sequential Keras model.
        calibration: c in [-1, 1]; rank' = rank + trunc((channels - rank) * c) for c >= 0, see ``calibrated_rank``.
        found: the model's ``vbmf_ranks``, where they are already known.
    """
    source = as_functional(model)
    graph = analyse(source)
    found = vbmf_ranks(source) if found is None else found
    ranks, left = {}, []
    for layer in graph.decomposable:
        rank_in, rank_out = found[layer.layer]
        if layer.in_channels <= WIDEST_IMAGE:
            left.append(Exclusion(layer.layer, f"it has only {layer.in_channels} input channels"))
            continue
        if min(rank_in, rank_out) == 0:
            left.append(Exclusion(layer.layer, "VBMF finds no signal in it (rank 0)"))
            continue
        pair = (
            calibrated_rank(rank_in, layer.in_channels, calibration),
            calibrated_rank(rank_out, layer.out_channels, calibration),
        )
        if tucker_saves(graph.site(layer.layer), layer.in_channels, layer.out_channels, pair):
            ranks[layer.layer] = pair
        else:
            left.append(Exclusion(layer.layer, f"ranks {list(pair)} would not make it cheaper"))
    return RecommendedRanks(ranks, tuple(left))
