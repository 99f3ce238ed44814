"""NPTK's recommended values at a FLOPs budget: what simple compression does without a search."""

import math
from dataclasses import dataclass
from typing import Any

from compress.analysis import analyse
from compress.group import Ranks, Ratios
from compress.parameters import CompressionParameters
from compress.recipe import DECOMPOSE, PRUNE, Stage, Values
from compress.recommend import RecommendedRanks, recommend_ranks, recommend_ratios, vbmf_ranks
from objectives.constraint import FlopsBudget
from objectives.cost import CostModel
from search.bisection import tightest

_LARGEST_RATIO = 1.0 - 1e-6
_RATIO_STEPS = 12
"""SLAMP's global ratio is found to a part in four thousand: one channel of most models."""


@dataclass(frozen=True)
class GlobalValues:
    """NPTK's two global knobs, used as they are: the SLAMP ratio and the VBMF calibration ratio."""

    ratio: float
    calibration: float = 0.0

    def values(self) -> Values:
        """The values of each stage."""
        return Values(
            lambda model: recommend_ratios(model, self.ratio),
            lambda model: recommend_ranks(model, self.calibration).ranks,
        )


@dataclass(frozen=True)
class BudgetValues:
    """The same knobs, set so that the result meets a budget.

    The first of two stages takes the FLOPs to the geometric mean of the original and the budget, the second to the
    budget; each is set on the model as it then is, fine-tuned after the first stage.

    Attributes:
        recipe: the stages in order.
        budget: the most FLOPs of the result.
        original: FLOPs of the original model.
        multiple: kept channels are rounded up to a multiple of it.
    """

    recipe: tuple[Stage, ...]
    budget: FlopsBudget
    original: int
    multiple: int = 1

    def values(self) -> Values:
        """The values of each stage."""
        return Values(
            lambda model: slamp_ratios_meeting(model, self._target(PRUNE), self.multiple),
            lambda model: vbmf_ranks_meeting(model, self._target(DECOMPOSE)).ranks,
        )

    def _target(self, stage: Stage) -> FlopsBudget:
        if len(self.recipe) == 2 and stage == self.recipe[0]:
            return FlopsBudget(math.sqrt(self.budget.limit * self.original), "the first stage's share")
        return self.budget


def slamp_ratios_meeting(model: Any, target: FlopsBudget, multiple: int = 1) -> Ratios:
    """SLAMP ratios at the smallest global ratio whose pruned model meets the target, or at almost 1 where none does."""
    cost = CostModel(analyse(model))

    def fits(ratio: float) -> bool:
        pruned = CompressionParameters(recommend_ratios(model, ratio), {})
        return target.violation(cost.cost(pruned, multiple).flops) <= 0

    return recommend_ratios(model, tightest(fits, fitting=_LARGEST_RATIO, failing=0.0, steps=_RATIO_STEPS))


def vbmf_ranks_meeting(model: Any, target: FlopsBudget) -> RecommendedRanks:
    """VBMF ranks at the largest calibration ratio in [-1, 1] that meets the target, or at -1 where none does."""
    cost, found = CostModel(analyse(model)), vbmf_ranks(model)

    def fits(calibration: float) -> bool:
        ranks: Ranks = recommend_ranks(model, calibration, found).ranks
        return target.violation(cost.cost(CompressionParameters({}, ranks)).flops) <= 0

    return recommend_ranks(model, tightest(fits, fitting=-1.0, failing=1.0), found)
