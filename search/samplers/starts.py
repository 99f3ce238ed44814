"""Starts: informed proposals that are tried before the sampler's own."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from compress.graph.group import Ranks
from compress.parameters import CompressionParameters
from compress.pruning.criterion import Criterion
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings
from compress.recommend.recommend import RankRecommender
from objectives.budget.budget import Budget, bisect
from objectives.budget.recommended import slamp_ratios_meeting
from search.samplers.sensitivity import Part, Sensitivity, parts_of
from search.space.space import LOWEST_PREFERENCE, SearchSpace

_ROUNDS = 4
_LARGEST = 30.0

Kept = Mapping[str, float]
"""Fraction that is kept, by the name of the part."""


def equalized(sensitivity: Sensitivity, space: SearchSpace, budget: Budget) -> dict[str, float]:
    """Preferences that lose the least by the sweep's measure, and just meet the budget.

    A part of which a fraction f is kept is taken to lose D ((1 - f) / (1 - p))^2, where it lost D at the sweep's
    fraction p: nothing while it is whole, and the more for every further step. The sum over all parts is the smallest
    at a given cost where a further step loses as much for what it saves in all of them (Lagrange), so where
    1 - f = l C (1 - p)^2 / D. C is what the part costs per unit of f, as a share of the limit that is broken most, and
    l, one number for all parts, is found by bisection. C depends on what is kept of the other parts, so that this is
    repeated with what the last round kept.

    A part that the sweep could not judge is taken to lose as much as the middle one.
    """
    parts = _Parts(space, budget, tuple(parts_of(space)))
    drops = sensitivity.robust_drops(part.dimensions[0] for part in parts.parts)
    kept: Kept = {part.name: 1.0 for part in parts.parts}
    for _ in range(_ROUNDS):
        worth = parts.worth(kept)
        slopes = {
            part.name: worth[part.name] * (1 - part.kept) ** 2 / drops[part.dimensions[0]] for part in parts.parts
        }
        kept = parts.just_meeting(slopes)
    return parts.wanted(kept)


@dataclass(frozen=True)
class _Parts:
    """The parts of a space, and what they cost of a budget."""

    space: SearchSpace
    budget: Budget
    parts: tuple[Part, ...]

    def wanted(self, kept: Kept) -> dict[str, float]:
        """Preferences that keep so much."""
        chosen = {dimension: kept[part.name] for part in self.parts for dimension in part.dimensions}
        return dict.fromkeys(self.space.dimensions, 1.0) | chosen

    def worth(self, kept: Kept) -> dict[str, float]:
        """What each part costs per unit of its fraction, between whole and probed, the others as they are."""
        return {
            part.name: max(0.0, self._share({**kept, part.name: 1.0}) - self._share({**kept, part.name: part.kept}))
            / (1 - part.kept)
            for part in self.parts
        }

    def just_meeting(self, slopes: Mapping[str, float]) -> Kept:
        """The largest fractions 1 - l x slope that meet the budget, for any l."""

        def at(log: float) -> Kept:
            return {name: min(1.0, max(LOWEST_PREFERENCE, 1 - math.exp(log) * slope)) for name, slope in slopes.items()}

        return at(bisect(lambda log: self._share(at(log)) <= 1, fitting=_LARGEST, failing=-_LARGEST))

    def _share(self, kept: Kept) -> float:
        """Cost as a share of the limit that is broken most."""
        candidate = self.space.candidate(self.space.decode(self.space.row(self.wanted(kept))))
        return 1 + self.budget.violation(candidate.cost)


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
        fractions = _rank_fractions(space, RankRecommender.of(model).vbmf)
        wanted["uniform"] = dict.fromkeys(space.dimensions, 1.0)
        wanted |= {f"{name} + VBMF": {**keep, **fractions} for name, keep in wanted.items()}
    return {name: {key: start[key] for key in space.dimensions} for name, start in wanted.items()}


def _slamp(model: Any, space: SearchSpace, budget: Budget, pruning: PruningSettings) -> dict[str, float]:
    ratios = slamp_ratios_meeting(model, budget, pruning, image_size=space.graph.image_size).ratios
    return space.encode(CompressionParameters(ratios, {}))


def _uniform(space: SearchSpace, budget: Budget) -> CompressionParameters:
    """The smallest equal ratio for all groups that meets the budget by pruning alone."""

    def pruned(ratio: float) -> CompressionParameters:
        return CompressionParameters({group.name: ratio for group in space.groups}, {})

    def fits(ratio: float) -> bool:
        return budget.violation(space.cost.cost(pruned(ratio), space.settings.step)) <= 0

    return pruned(bisect(fits, fitting=space.settings.ratio_max, failing=0.0))


def _rank_fractions(space: SearchSpace, ranks: Ranks) -> dict[str, float]:
    """VBMF's ranks as fractions of the channels; 1 where VBMF finds no signal, for the layer to stay whole."""
    fractions = {}
    for layer in space.layers:
        rank_in, rank_out = ranks[layer.layer]
        fractions[f"rank_in:{layer.layer}"] = (rank_in or layer.in_channels) / layer.in_channels
        fractions[f"rank_out:{layer.layer}"] = (rank_out or layer.out_channels) / layer.out_channels
    return fractions
