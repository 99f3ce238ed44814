"""NPTK's recommended values at a FLOPs budget: what simple compression does without a search."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compress.analysis import analyse
from compress.errors import BudgetError
from compress.group import Ranks, Ratios
from compress.parameters import CompressionParameters
from compress.pruning import prune
from compress.recipe import DECOMPOSE, PRUNE, Stage, Values
from compress.recommend import RecommendedRanks, recommend_ranks, recommend_ratios, vbmf_ranks
from objectives.constraint import FlopsBudget
from objectives.cost import CostModel
from search.bisection import tightest

_LARGEST_RATIO = 1.0 - 1e-6
_RATIO_STEPS = 12
"""SLAMP's global ratio is found to a part in four thousand: one channel of most models."""

_SHARES = (0.5, 0.625, 0.75, 0.875, 1.0)
"""How far pruning may go when it comes first."""

_MARGIN = 0.95
"""Fine-tuning changes what VBMF finds: the ranks must reach the budget with so much to spare before it."""

Note = Callable[[str], None]
"""Receives one line for each layer that is left whole."""


def silent(line: str) -> None:
    """Say nothing."""


def _note_left_whole(found: RecommendedRanks, note: Note) -> None:
    for exclusion in found.left_whole:
        note(f"'{exclusion.name}' is left whole: {exclusion.reason}")


@dataclass(frozen=True)
class GlobalValues:
    """NPTK's two global knobs, used as they are; ``note`` is told of every layer left whole."""

    ratio: float
    calibration: float = 0.0
    note: Note = silent

    def values(self) -> Values:
        """The values of each stage."""
        return Values(lambda model: recommend_ratios(model, self.ratio), self._ranks)

    def _ranks(self, model: Any) -> Ranks:
        found = recommend_ranks(model, self.calibration)
        _note_left_whole(found, self.note)
        return found.ranks


@dataclass(frozen=True)
class BudgetValues:
    """The same knobs, set so that the result meets a budget.

    The first of two stages takes the FLOPs to the geometric mean of the original and the budget, the second to the
    budget; each is set on the model as it then is, fine-tuned after the first stage. Pruning that comes first goes
    further where VBMF, which finds no small ranks in a small layer, could not make up the rest. A last stage that
    cannot meet the budget raises BudgetError.

    Attributes:
        recipe: the stages in order.
        budget: the most FLOPs of the result.
        original: FLOPs of the original model.
        multiple: kept channels are rounded up to a multiple of it.
        note: told of every layer that is left whole.
    """

    recipe: tuple[Stage, ...]
    budget: FlopsBudget
    original: int
    multiple: int = 1
    note: Note = silent

    def values(self) -> Values:
        """The values of each stage."""
        return Values(self._ratios, self._ranks)

    def _ratios(self, model: Any) -> Ratios:
        ranks_follow = self.recipe == (PRUNE, DECOMPOSE)
        ratios: Ratios = {}
        for share in _SHARES if ranks_follow else (1.0,):
            ratios = slamp_ratios_meeting(model, self._target(share), self.multiple)
            if ranks_follow and self._ranks_reach_budget(prune(model, ratios, multiple=self.multiple)):
                break
        self._check(model, CompressionParameters(ratios, {}), PRUNE)
        return ratios

    def _ranks_reach_budget(self, model: Any) -> bool:
        least = CompressionParameters({}, recommend_ranks(model, -1.0).ranks)
        return self.budget.violation(CostModel(analyse(model)).cost(least).flops / _MARGIN) <= 0

    def _ranks(self, model: Any) -> Ranks:
        found = vbmf_ranks_meeting(model, self._target(self._share(DECOMPOSE)))
        self._check(model, CompressionParameters({}, found.ranks), DECOMPOSE)
        _note_left_whole(found, self.note)
        return found.ranks

    def _check(self, model: Any, found: CompressionParameters, stage: Stage) -> None:
        reached = CostModel(analyse(model)).cost(found, self.multiple).flops
        if stage == self.recipe[-1] and self.budget.violation(reached) > 0:
            raise BudgetError(
                f"budget.flops: expected at least {reached} FLOPs, the fewest that recommended values reach, received "
                f"{self.budget.text} = {self.budget.limit:.0f}; raise the budget"
            )

    def _share(self, stage: Stage) -> float:
        return _SHARES[0] if len(self.recipe) == 2 and stage == self.recipe[0] else 1.0

    def _target(self, share: float) -> FlopsBudget:
        """The FLOPs after a share of the way, in factors, from the original to the budget."""
        if share == 1.0:
            return self.budget
        return FlopsBudget(
            self.original ** (1 - share) * self.budget.limit**share, f"{share:g} of the way to the budget"
        )


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
