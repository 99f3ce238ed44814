"""Proposals that know something: tried before the sampler's own."""

from dataclasses import replace
from typing import Any

from compress.criterion import Criterion
from compress.group import Ranks
from compress.parameters import CompressionParameters
from compress.pruning_settings import DEFAULT_PRUNING, PruningSettings
from compress.recommend import RankRecommender
from objectives.budget import Budget
from search.bisection import tightest
from search.recommended import slamp_ratios_meeting
from search.space import SearchSpace


def starts(
    model: Any,
    space: SearchSpace,
    budget: Budget,
    pruning: PruningSettings = DEFAULT_PRUNING,
    maps: Criterion | None = None,
) -> dict[str, dict[str, float]]:
    """Preferences by name: uniform and SLAMP pruning, and each with ranks where the space has them.

    Args:
        model: the original model.
        space: the search space of that model.
        budget: what the pruning starts just meet; projection takes the others there.
        pruning: how SLAMP scores channels, and what the kept ones are rounded to.
        maps: another criterion, by feature maps, for SLAMP to score channels by as well; None without images.
    """
    wanted: dict[str, dict[str, float]] = {}
    if space.groups:
        wanted["uniform pruning"] = space.encode(_uniform(space, budget))
        wanted["SLAMP"] = _slamp(model, space, budget, pruning)
        if maps is not None and not isinstance(pruning.criterion, type(maps)):
            wanted["SLAMP on feature maps"] = _slamp(model, space, budget, replace(pruning, criterion=maps))
    if space.layers:
        fractions = _rank_fractions(space, RankRecommender.of(model).found)
        wanted["uniform"] = dict.fromkeys(space.dimensions, 1.0)
        wanted |= {f"{name} + VBMF": {**keep, **fractions} for name, keep in wanted.items()}
    return wanted


def _slamp(model: Any, space: SearchSpace, budget: Budget, pruning: PruningSettings) -> dict[str, float]:
    ratios = slamp_ratios_meeting(model, budget, pruning).ratios
    return space.encode(CompressionParameters(ratios, {}))


def _uniform(space: SearchSpace, budget: Budget) -> CompressionParameters:
    """The smallest equal ratio for all groups that meets the budget by pruning alone."""

    def pruned(ratio: float) -> CompressionParameters:
        return CompressionParameters({group.name: ratio for group in space.groups}, {})

    def fits(ratio: float) -> bool:
        return budget.violation(space.cost.cost(pruned(ratio), space.settings.step)) <= 0

    return pruned(tightest(fits, fitting=space.settings.ratio_max, failing=0.0))


def _rank_fractions(space: SearchSpace, found: Ranks) -> dict[str, float]:
    """VBMF's ranks as fractions of the channels; 1 where VBMF finds no signal, for the layer to stay whole."""
    fractions = {}
    for layer in space.layers:
        rank_in, rank_out = found[layer.layer]
        fractions[f"rank_in:{layer.layer}"] = (rank_in or layer.in_channels) / layer.in_channels
        fractions[f"rank_out:{layer.layer}"] = (rank_out or layer.out_channels) / layer.out_channels
    return fractions
