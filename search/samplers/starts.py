"""Starts: informed proposals, from SLAMP, VBMF and the sweep, that are tried before the sampler's own."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.graph.group import Ranks
from compress.parameters import CompressionParameters
from compress.pruning.criterion import Criterion
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings
from compress.recommend.recommend import RankRecommender
from objectives.budget.budget import Budget, bisect
from objectives.budget.recommended import ratios_meeting
from search.samplers.evolution import evolved
from search.samplers.sensitivity import Sensitivity
from search.space.projection import Projection
from search.space.space import LOWEST_PREFERENCE, SearchSpace

Floats = NDArray[np.float64]

_ROUNDS = 40
"""Of the search for what loses least: after 30 nothing better is found any more."""

_WHOLE_OR_LESS, _RANKS = (1.0, 0.7, 0.5), (1.0, 0.3, 0.2, 0.1)
"""What that search begins with: all groups alike and all ranks alike, before projection.

Ranks save nothing until they are small, so that it would not come upon them from whole layers.
"""


def least_loss(sensitivity: Sensitivity, space: SearchSpace, budget: Budget) -> dict[str, float]:
    """Preferences of the candidate that loses least by the sweep's measure, of those that just meet the budget.

    Args:
        sensitivity: what each part loses alone; the losses of several are added.
        space: whose preferences they are.
        budget: what the candidate may cost.
    """
    losses = sensitivity.prior(space.dimensions)

    def worth(kept: Floats) -> Floats:
        return -losses.of(kept)[:, 0]

    are_ranks = np.array([name.startswith("rank") for name in space.dimensions])
    first = np.array([np.where(are_ranks, rank, keep) for keep in _WHOLE_OR_LESS for rank in _RANKS])
    project = Projection(space, budget).many
    best = evolved(worth, project, first, LOWEST_PREFERENCE, np.random.default_rng(0), rounds=_ROUNDS)
    return dict(zip(space.dimensions, best.kept[0].tolist(), strict=True))


def starts(
    model: Any,
    space: SearchSpace,
    budget: Budget,
    pruning: PruningSettings = DEFAULT_PRUNING,
    maps: Criterion | None = None,
) -> dict[str, dict[str, float]]:
    """Preferences by the name of the start: uniform and SLAMP pruning, and both with VBMF's ranks.

    Args:
        model: the original model.
        space: the search space of that model.
        budget: that starts of pruning alone just meet; the others are projected onto it later.
        pruning: how SLAMP scores channels, and what the kept ones are rounded to.
        maps: a criterion on feature maps, for one more start by SLAMP; None without images.
    """
    wanted: dict[str, dict[str, float]] = {}
    if space.groups:
        wanted["uniform pruning"] = space.encode(_uniform(space, budget))
        wanted["SLAMP"] = _slamp(model, space, budget, pruning)
        if maps is not None and not isinstance(pruning.criterion, type(maps)):
            wanted["SLAMP on feature maps"] = _slamp(model, space, budget, replace(pruning, criterion=maps))
    if space.layers:
        fractions = _rank_fractions(space, RankRecommender.of(model).vbmf)
        wanted["uniform"] = dict.fromkeys(space.dimensions, 1.0)
        wanted |= {f"{name} + VBMF": {**keep, **fractions} for name, keep in wanted.items()}
    return {name: {key: start[key] for key in space.dimensions} for name, start in wanted.items()}


def _slamp(model: Any, space: SearchSpace, budget: Budget, pruning: PruningSettings) -> dict[str, float]:
    ratios = ratios_meeting(model, budget, pruning, image_size=space.graph.image_size).ratios
    return space.encode(CompressionParameters(ratios, {}))


def _uniform(space: SearchSpace, budget: Budget) -> CompressionParameters:
    """The smallest equal ratio for all groups that meets the budget by pruning alone."""

    def pruned(ratio: float) -> CompressionParameters:
        return CompressionParameters({group.name: ratio for group in space.groups}, {})

    def fits(ratio: float) -> bool:
        return budget.violation(space.cost.cost(pruned(ratio), space.settings.step)) <= 0

    return pruned(bisect(fits, fitting=space.settings.ratio_max, failing=0.0))


def _rank_fractions(space: SearchSpace, ranks: Ranks) -> dict[str, float]:
    """VBMF's ranks as fractions of the channels; 1 where VBMF finds no signal, so that the layer stays whole."""
    fractions = {}
    for layer in space.layers:
        rank_in, rank_out = ranks[layer.layer]
        fractions[f"rank_in:{layer.layer}"] = (rank_in or layer.in_channels) / layer.in_channels
        fractions[f"rank_out:{layer.layer}"] = (rank_out or layer.out_channels) / layer.out_channels
    return fractions
