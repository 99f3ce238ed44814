"""NPTK's recommended values, SLAMP's ratios and VBMF's ranks, as they are or set to meet a budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.choices import NO_CHOICES, Choices
from compress.graph.group import Exclusion, Ranks, Ratios
from compress.graph.sizes import ImageSize
from compress.parameters import DECOMPOSE, PRUNE, CompressionParameters, Stage
from compress.pruning.pruning import prune
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings
from compress.recipe import Values
from compress.recommend.recommend import (
    RankRecommender,
    RatioRecommender,
    RecommendedRanks,
    RecommendedRatios,
)
from objectives.budget.budget import Budget, bisect, drop_costly_ranks
from objectives.budget.chosen import chosen_ranks, chosen_ratios
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import MEMORY

_LARGEST_RATIO = 1.0 - 1e-6
_RATIO_STEPS = 12
"""Halvings of the interval of SLAMP's global ratio: to one part in 4096, about one channel of most models."""

_SHARES = (0.5, 0.625, 0.75, 0.875, 1.0)
"""Shares of the way to the budget that pruning may go when it comes first."""

_MARGIN = 0.95
"""Fraction of the budget that ranks must reach before fine-tuning, which changes the ranks that VBMF finds."""


class Recommender(Protocol):
    """Recommended values for each stage, given the model as it is before the stage."""

    def ratios(self, model: Any) -> RecommendedRatios:
        """Pruning ratios, and the groups that lose nothing."""

    def ranks(self, model: Any) -> RecommendedRanks:
        """Rank pairs, and the convolutions that stay whole."""


class RatioSource(Protocol):
    """Ratios of one model by how much is removed in all."""

    @property
    def graph(self) -> ChannelGraph:
        """The analysed model."""

    def at(self, ratio: float) -> RecommendedRatios:
        """Ratios at an amount in [0, 1): the more, the fewer channels stay."""


MakeRatios = Callable[[Any, PruningSettings, ImageSize | None], RatioSource]
"""Makes the ratios of a model, as `RatioRecommender.of` (SLAMP) and `InnerRatios.of` do."""


def silent(line: str) -> None:
    """A log that drops its lines."""


def stage_values(source: Recommender, log: Callable[[str], None] = silent) -> Values:
    """The recommended values as functions of the model before each stage; ``log`` gets lines on what stays whole."""

    def ratios(model: Any) -> Ratios:
        recommended = source.ratios(model)
        _log_left_whole(recommended.left_whole, "pruned", log)
        return recommended.ratios

    def ranks(model: Any) -> Ranks:
        recommended = source.ranks(model)
        _log_left_whole(recommended.left_whole, "decomposed", log)
        return recommended.ranks

    return Values(ratios, ranks)


def _log_left_whole(left_whole: Sequence[Exclusion], done: str, log: Callable[[str], None]) -> None:
    for reason in dict.fromkeys(exclusion.reason for exclusion in left_whole):
        names = ", ".join(f"'{exclusion.name}'" for exclusion in left_whole if exclusion.reason == reason)
        log(f"not {done}: {names}: {reason}")


@dataclass(frozen=True)
class GlobalValues:
    """Recommended values at a given global ratio and calibration ratio, NPTK's two parameters.

    Attributes:
        ratio: fraction of all channels that SLAMP removes.
        calibration: in [-1, 1]; moves VBMF's ranks, towards all channels above 0.
        pruning: how channels are scored, and what the kept ones are rounded to.
        choices: bounds of single groups and layers, to which values are clipped.
        image_size: at which cost is counted, of a model that takes images of any size.
        make: which ratios.
    """

    ratio: float
    calibration: float = 0.0
    pruning: PruningSettings = DEFAULT_PRUNING
    choices: Choices = NO_CHOICES
    image_size: ImageSize | None = None
    make: MakeRatios = RatioRecommender.of

    def ratios(self, model: Any) -> RecommendedRatios:
        """SLAMP at the global ratio, or what else makes the ratios."""
        recommender = self.make(model, self.pruning, self.image_size)
        return chosen_ratios(recommender.graph, recommender.at(self.ratio), self.choices)

    def ranks(self, model: Any) -> RecommendedRanks:
        """VBMF at the calibration ratio."""
        recommender = RankRecommender.of(model, self.image_size)
        return chosen_ranks(recommender.graph, recommender.at(self.calibration), self.choices)


@dataclass(frozen=True)
class BudgetValues:
    """Recommended values at the global ratio and the calibration ratio with which the result meets a budget.

    The first of two stages brings the limited quantities to the geometric mean of the original and the budget, the
    second to the budget; the second is set on the model after the first stage and its fine-tuning. Where pruning comes
    first, it goes further if VBMF, which finds no small ranks in small layers, could not make up the rest. Memory,
    which ranks hardly change, is met by pruning. A last stage that cannot meet the budget raises BudgetError.

    Attributes:
        recipe: the stages in order.
        budget: what the result may cost; all its limits are met.
        original: cost of the original model.
        pruning: how channels are scored, and what the kept ones are rounded to.
        choices: bounds of single groups and layers, to which values are clipped.
        image_size: at which cost is counted, of a model that takes images of any size.
        make: which ratios.
    """

    recipe: tuple[Stage, ...]
    budget: Budget
    original: Cost
    pruning: PruningSettings = DEFAULT_PRUNING
    choices: Choices = NO_CHOICES
    image_size: ImageSize | None = None
    make: MakeRatios = RatioRecommender.of

    def ratios(self, model: Any) -> RecommendedRatios:
        """SLAMP's ratios, or what else makes them, on the way to the budget.

        Raises:
            BudgetError: no ratios meet the budget, and no ranks follow.
        """
        ranks_follow = self.recipe == (PRUNE, DECOMPOSE)
        pruning = self.pruning.measured(model)
        shares = _SHARES if ranks_follow else (1.0,)
        for share in shares:
            target = self._target(PRUNE, share) or self.budget
            recommended = ratios_meeting(model, target, pruning, self.choices, self.image_size, self.make)
            if ranks_follow and self._ranks_reach_budget(prune(model, recommended.ratios, pruning)):
                break
        self._check(model, CompressionParameters(recommended.ratios, {}), PRUNE)
        return recommended

    def _ranks_reach_budget(self, model: Any) -> bool:
        recommender, others = RankRecommender.of(model, self.image_size), self.budget.without(MEMORY)
        cost = CostModel(recommender.graph, self.budget.table)
        lowest = _ranks_within(cost, self.budget, recommender.at(-1.0), self.choices).ranks
        least = cost.cost(CompressionParameters({}, lowest))
        return self.budget.violation(least) <= 0 and (others is None or 1 + others.violation(least) <= _MARGIN)

    def ranks(self, model: Any) -> RecommendedRanks:
        """VBMF's ranks on the way to the budget.

        Raises:
            BudgetError: this is the last stage, and no ranks meet the budget.
        """
        target = self._target(DECOMPOSE, self._share(DECOMPOSE))
        recommended = vbmf_ranks_meeting(model, target, self.choices, self.image_size)
        self._check(model, CompressionParameters({}, recommended.ranks), DECOMPOSE)
        return recommended

    def _check(self, model: Any, parameters: CompressionParameters, stage: Stage) -> None:
        graph = analyse(model, self.pruning.across_normalization, self.image_size)
        reached = CostModel(graph, self.budget.table).cost(parameters, self.pruning.step)
        limit = self.budget.tightest(reached)
        if stage == self.recipe[-1] and limit.violation(reached) > 0:
            raise limit.missed(reached, "the fewest that recommended values reach", "raise the budget")

    def _share(self, stage: Stage) -> float:
        return _SHARES[0] if len(self.recipe) == 2 and stage == self.recipe[0] else 1.0

    def _target(self, stage: Stage, share: float) -> Budget | None:
        """The budget of a stage; None where decomposition comes first and memory alone is limited."""
        # The final budget exactly, without the rounding error of powers.
        target = self.budget if share == 1.0 else self.budget.partway(self.original, share)
        return target if stage == self.recipe[-1] or stage == PRUNE else target.without(MEMORY)


def ratios_meeting(
    model: Any,
    target: Budget,
    pruning: PruningSettings = DEFAULT_PRUNING,
    choices: Choices = NO_CHOICES,
    image_size: ImageSize | None = None,
    make: MakeRatios = RatioRecommender.of,
) -> RecommendedRatios:
    """Ratios at the smallest global ratio whose pruned model meets the target, or at almost 1 where none does.

    SLAMP's, or what else makes them. They are brought to the bounds that choices give to their groups.
    """
    recommender = make(model, pruning, image_size)
    cost = CostModel(recommender.graph, target.table)

    def at(ratio: float) -> RecommendedRatios:
        return chosen_ratios(recommender.graph, recommender.at(ratio), choices)

    def fits(ratio: float) -> bool:
        pruned = CompressionParameters(at(ratio).ratios, {})
        return target.violation(cost.cost(pruned, pruning.step)) <= 0

    return at(bisect(fits, fitting=_LARGEST_RATIO, failing=0.0, steps=_RATIO_STEPS))


def vbmf_ranks_meeting(
    model: Any, target: Budget | None, choices: Choices = NO_CHOICES, image_size: ImageSize | None = None
) -> RecommendedRanks:
    """VBMF ranks at the largest calibration ratio in [-1, 1] that meets the target, or at -1 where none does.

    Ranks are brought to the bounds that choices give to their layers. Layers whose parts would break a limit that the
    whole layer keeps are left whole, unless their ranks are fixed.
    """
    recommender = RankRecommender.of(model, image_size)
    cost = CostModel(recommender.graph, None if target is None else target.table)

    def at(calibration: float) -> RecommendedRanks:
        return _ranks_within(cost, target, recommender.at(calibration), choices)

    def fits(calibration: float) -> bool:
        return target is None or target.violation(cost.cost(CompressionParameters({}, at(calibration).ranks))) <= 0

    return at(bisect(fits, fitting=-1.0, failing=1.0))


def _ranks_within(
    cost: CostModel, target: Budget | None, recommended: RecommendedRanks, choices: Choices
) -> RecommendedRanks:
    """Recommended ranks within the choices, without those that cost more of the target than whole layers."""
    chosen = chosen_ranks(cost.graph, recommended, choices)
    if target is None:
        return chosen
    fixed = [name for name in chosen.ranks if choices.decomposes(name)]
    ranks = drop_costly_ranks(cost, target, CompressionParameters({}, chosen.ranks), fixed=fixed).ranks
    reason = "its parts would break a limit of the budget that the whole layer keeps"
    left = tuple(Exclusion(name, reason) for name in chosen.ranks if name not in ranks)
    return RecommendedRanks(ranks, chosen.left_whole + left)
