"""The plan of a staged search: the search space of each stage, and the budget of the first one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compress.errors import BudgetError
from compress.graph.analysis import analyse
from compress.parameters import DECOMPOSE, CompressionParameters, Stage
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters
from objectives.budget.budget import Budget
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import MEMORY
from search.space.projection import Projection
from search.space.space import SearchSpace
from search.study.ranking import ranked
from search.study.trial_record import TrialRecord


@dataclass(frozen=True)
class StagePlan:
    """The two stages of a search.

    Attributes:
        space: the search space of the original model, for the whole recipe.
        budget: that the second stage must meet.
        share: how far the first stage goes on the way to the budget, in factors: 0.5 is the geometric mean of the
            original's cost and the budget.
    """

    space: SearchSpace
    budget: Budget
    share: float

    @property
    def stages(self) -> tuple[Stage, Stage]:
        """The first and the second stage."""
        first, second = self.space.recipe
        return first, second

    @property
    def first_space(self) -> SearchSpace:
        """The search space of the first stage, of the original model."""
        return replace(self.space, recipe=self.stages[:1])

    def second_space(self, model: Any) -> SearchSpace:
        """The search space of the second stage, of a model that the first one has compressed."""
        original = self.space.graph
        graph = analyse(model, original.across_normalization, original.image_size)
        return SearchSpace(CostModel(graph, self.budget.table), self.space.settings, self.stages[1:])

    @property
    def target(self) -> Budget:
        """The budget of the first stage. Memory, which ranks hardly change, is left to pruning.

        Raises:
            BudgetError: decomposition comes first, and memory alone is limited.
        """
        original = self.space.cost.cost(CompressionParameters.none())
        target: Budget | None = self.budget.partway(original, self.share)
        if target is not None and self.stages[0] == DECOMPOSE:
            target = target.without(MEMORY)
        if target is None:
            raise BudgetError(
                "search.strategy 'staged': expected a limit besides memory where ranks come first, received memory "
                "alone; search joint, or prune first"
            )
        return target

    def after_first(self, model: Any, parameters: CompressionParameters, pruning: PruningSettings) -> Any:
        """The original model after the first stage, without fine-tuning."""
        return apply_parameters(model, parameters, self.stages[:1], pruning=pruning)

    def check(self, model: Any, pruning: PruningSettings) -> None:
        """Refuse a plan in which a stage cannot meet its budget, before anything is trained.

        The second stage is checked after a first stage that compresses all layers equally.

        Raises:
            BudgetError: names the stage and what to change.
        """
        first, target = self.first_space, self.target
        for stage in self.stages:
            if self.space.dimensions and not replace(self.space, recipe=(stage,)).dimensions:
                raise BudgetError(f"stage '{stage}': expected something to search, received none; search joint")
        try:
            even = Projection(first, target)(np.ones(len(first.dimensions))).parameters
        except BudgetError as error:
            raise self._refusal(0, error, "lower") from error
        try:
            self._check_second(self.after_first(model, even, pruning))
        except BudgetError as error:
            raise self._refusal(1, error, "raise") from error

    def winner(self, model: Any, trials: Sequence[TrialRecord], pruning: PruningSettings) -> TrialRecord:
        """The best trial of the first stage from which the second stage can meet the budget.

        Raises:
            BudgetError: there is none.
        """
        refused: BudgetError | None = None
        for record in ranked(trials):
            try:
                self._check_second(self.after_first(model, record.parameters, pruning))
                return record
            except BudgetError as error:
                refused = error
        if refused is None:
            failed = next((record.error for record in reversed(trials) if record.error), "none met the budget")
            raise BudgetError(f"none of the {len(trials)} trials of stage '{self.stages[0]}' can be used: {failed}")
        raise self._refusal(1, refused, "raise") from refused

    def _check_second(self, model: Any) -> None:
        Projection(self.second_space(model), self.budget).check_reachable()

    def _refusal(self, number: int, error: BudgetError, change: str) -> BudgetError:
        stage = f"stage '{self.stages[number]}', {number + 1} of 2"
        return BudgetError(f"{stage}: {error}; or {change} search.staged.budget, now {self.share:g}, or search joint")
