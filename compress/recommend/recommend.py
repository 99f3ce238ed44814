"""Recommended values, as NPTK's Simple mode has them: SLAMP for ratios, VBMF for ranks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from compress.cloning.layers import layers_by_name
from compress.cloning.walk import as_functional
from compress.decomposition.tucker import tucker_saves
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.convolutions import WIDEST_IMAGE
from compress.graph.group import Decomposable, Exclusion, Group, Ranks, Ratios
from compress.graph.sizes import ImageSize
from compress.parameters import ChannelStep, kept_channels
from compress.pruning.criterion import Floats
from compress.pruning.pruning import group_energy
from compress.pruning.settings import DEFAULT_PRUNING, MeasuredScores, PruningSettings
from compress.recommend.slamp import slamp_ratios
from compress.recommend.vbmf import calibrated_rank, vbmf_conv_ranks


@dataclass(frozen=True)
class RecommendedRatios:
    """Ratios by group, and the groups that lose nothing, with the reason."""

    ratios: Ratios
    left_whole: tuple[Exclusion, ...]


@dataclass(frozen=True)
class RecommendedRanks:
    """Ranks by layer, and the convolutions that are better left whole, with the reason."""

    ranks: Ranks
    left_whole: tuple[Exclusion, ...]


@dataclass(frozen=True)
class RatioRecommender:
    """SLAMP on one model, whose channels are measured once.

    Attributes:
        graph: the analysed model.
        energies: sum of squared scores of every channel, by group name.
        step: what the kept channels are rounded to.
    """

    graph: ChannelGraph
    energies: Mapping[str, Floats]
    step: ChannelStep

    @classmethod
    def of(cls, model: Any, settings: PruningSettings = DEFAULT_PRUNING, image_size: ImageSize | None = None) -> Self:
        """The recommender of a functional or Sequential model, whose graph is for this size of images.

        SLAMP squares the criterion's scores and sums them over the layers of a group. Layer norms and policies do not
        enter: SLAMP itself puts the groups on one scale.

        Raises:
            ModelError: the model's layer graph cannot be read, or holds weights that are not finite.
        """
        source = as_functional(model)
        graph = analyse(source, settings.across_normalization, image_size)
        scores = MeasuredScores.of(settings.criterion, source, graph)
        energies = {group.name: group_energy(source, graph, group, scores) for group in graph.groups}
        return cls(graph, energies, settings.step)

    def at(self, ratio: float) -> RecommendedRatios:
        """Ratios at a global fraction of channels removed, in [0, 1); each is the fraction left after rounding.

        Raises:
            ParameterError: a ratio outside [0, 1).
        """
        ratios, left = {}, list(self.graph.excluded)
        for group, wanted in zip(self.graph.groups, slamp_ratios(self.energies, ratio).values(), strict=True):
            value = rounded_ratio(group, wanted, self.step)
            if value > 0:
                ratios[group.name] = value
            elif wanted > 0:
                reason = f"all its {group.channels} channels stay in steps of {self.step.size}"
                left.append(Exclusion(group.name, reason))
            else:
                left.append(Exclusion(group.name, "SLAMP removes none of its channels at this ratio"))
        return RecommendedRatios(ratios, tuple(left))


def rounded_ratio(group: Group, ratio: float, step: ChannelStep) -> float:
    """The ratio that keeps as many channels where no step rounds them: a parameter file has no step."""
    kept = [kept_channels(subgroup.size, ratio, step) for subgroup in group.subgroups]
    if len(kept) > 1 and sum(kept) < group.channels:
        return ratio  # Each subgroup is rounded for itself, which no one ratio can say.
    return 1 - sum(kept) / group.channels


@dataclass(frozen=True)
class RankRecommender:
    """VBMF on one model, whose kernels are factorized once.

    Attributes:
        graph: the analysed model.
        vbmf: VBMF's (In Rank, Out Rank) of every decomposable convolution, uncalibrated.
    """

    graph: ChannelGraph
    vbmf: Ranks

    @classmethod
    def of(cls, model: Any, image_size: ImageSize | None = None) -> Self:
        """The recommender of a functional or Sequential model, for this size of images.

        Raises:
            ModelError: the model's layer graph cannot be read, or holds kernels that are not finite.
        """
        source = as_functional(model)
        graph, layers = analyse(source, image_size=image_size), layers_by_name(source)
        kernels = {layer.layer: np.asarray(layers[layer.layer].kernel) for layer in graph.decomposable}
        return cls(graph, {name: vbmf_conv_ranks(kernel) for name, kernel in kernels.items()})

    def at(self, calibration: float) -> RecommendedRanks:
        """Ranks moved by a calibration ratio c in [-1, 1], see ``calibrated_rank``.

        Raises:
            ParameterError: a calibration ratio outside [-1, 1].
        """
        # The first convolution is among those that Tucker-2 cannot replace: it reads the image.
        ranks, left = {}, list(self.graph.undecomposable)
        for layer in self.graph.decomposable:
            pair = self._calibrated(layer, calibration)
            reason = self._whole(layer, pair)
            if reason is None:
                ranks[layer.layer] = pair
            else:
                left.append(Exclusion(layer.layer, reason))
        return RecommendedRanks(ranks, tuple(left))

    def _calibrated(self, layer: Decomposable, calibration: float) -> tuple[int, int]:
        rank_in, rank_out = self.vbmf[layer.layer]
        return (
            calibrated_rank(rank_in, layer.in_channels, calibration),
            calibrated_rank(rank_out, layer.out_channels, calibration),
        )

    def _whole(self, layer: Decomposable, pair: tuple[int, int]) -> str | None:
        if layer.in_channels <= WIDEST_IMAGE:
            return f"it has only {layer.in_channels} input channels"
        if min(self.vbmf[layer.layer]) == 0:
            return "VBMF finds no signal in it (rank 0)"
        if not tucker_saves(self.graph.node(layer.layer), layer.in_channels, layer.out_channels, pair):
            return f"ranks {list(pair)} would not make it cheaper"
        return None


def recommend_ratios(model: Any, ratio: float, settings: PruningSettings = DEFAULT_PRUNING) -> RecommendedRatios:
    """SLAMP: pruning ratios by group at a global fraction of channels removed; groups that lose nothing are named.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: a ratio outside [0, 1).
    """
    return RatioRecommender.of(model, settings).at(ratio)


def recommend_ranks(model: Any, calibration: float = 0.0, image_size: ImageSize | None = None) -> RecommendedRanks:
    """VBMF ranks moved by a calibration ratio; convolutions of rank 0 or without saving are left whole and named.

    Args:
        model: a functional or Sequential Keras model.
        calibration: c in [-1, 1]; rank' = rank + trunc((channels - rank) * c).
        image_size: of a model that takes images of any size, the size at which ranks must make a layer cheaper.

    Raises:
        ModelError: the model's layer graph cannot be read.
        ParameterError: a calibration ratio outside [-1, 1].
    """
    return RankRecommender.of(model, image_size).at(calibration)
