"""A study for a sampler: its dimensions, its budgets, and the kept fractions and scores of its trials."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from compress.parameter_files.json_format import loads
from compress.staged_parameters import separated
from objectives.budget.budget import Budget
from objectives.cost.cost import Cost
from search.samplers.sensitivity import Sensitivity
from search.samplers.surrogate import PriorLosses
from search.space.levels import Levels
from search.space.projection import Projection
from search.space.space import SearchSpace
from search.study.trial_record import COST, LEVEL, PARAMETERS, STAGE, first_rung_objective

Floats = NDArray[np.float64]


class StudyView:
    """The trials of a study in the terms of its search space.

    Args:
        space: what is searched.
        budget: what proposals are projected to.
        levels: of a front, the budgets that trials have in its place.
        sensitivity: of a sweep, None without one.
    """

    def __init__(
        self, space: SearchSpace, budget: Budget, levels: Levels | None = None, sensitivity: Sensitivity | None = None
    ) -> None:
        self._space, self._budget, self._levels, self._sensitivity = space, budget, levels, sensitivity
        self._kept: dict[int, Floats] = {}
        self._scores: dict[int, float | None] = {}

    @cached_property
    def prior(self) -> PriorLosses:
        """That all dimensions matter alike, that they matter as they cost, and what was measured."""
        projection = Projection(self._space, self._budget)
        costs = cost_shares(projection.violations, projection.scaled(np.ones((1, len(self.dimensions)))))
        guesses = PriorLosses.squares(np.array([np.ones(len(costs)), costs]))
        return guesses if self._sensitivity is None else guesses.joined(self._sensitivity.prior(self.dimensions))

    @property
    def dimensions(self) -> Sequence[str]:
        """Names of the preferences."""
        return self._space.dimensions

    def project(self, wanted: Floats, trial: FrozenTrial, fill: bool) -> Floats:
        """Fractions (N, D) that proposals (N, D) keep when projected onto the budget of this trial."""
        return Projection(self._space, self._budget_of(trial)).many(wanted, fill)

    @staticmethod
    def is_decoded(trial: FrozenTrial) -> bool:
        """Whether the parameters of a trial are stored, which happens after the sampler has proposed it."""
        return COST in trial.user_attrs

    def kept(self, trial: FrozenTrial) -> Floats:
        """Fractions (D,) that a decoded trial keeps, by the parameters that it is judged with."""
        if trial.number not in self._kept:
            parameters, stage = loads(trial.user_attrs[PARAMETERS]).parameters, trial.user_attrs.get(STAGE)
            own = parameters if stage is None else separated(parameters, stage)
            candidate = self._space.cost.candidate(own, self._space.settings.step)
            self._kept[trial.number] = self._space.arrays.fractions(*candidate)[0]
        return self._kept[trial.number]

    def allows(self, done: FrozenTrial, trial: FrozenTrial) -> bool:
        """Whether the decoded trial ``done`` meets the budget of ``trial``."""
        return self._budget_of(trial).violation(Cost.restored(done.user_attrs[COST])) <= 0

    def score(self, trial: FrozenTrial) -> float | None:
        """A trial's objective at the first rung, where all trials are comparable; None where it is not known."""
        if trial.number not in self._scores:
            score = first_rung_objective(trial)
            if not trial.state.is_finished():
                return score
            self._scores[trial.number] = score
        return self._scores[trial.number]

    def _budget_of(self, trial: FrozenTrial) -> Budget:
        if self._levels is None:
            return self._budget
        # Starts have a level stored; a trial that is just being asked for has none yet.
        level: int = trial.user_attrs.get(LEVEL, self._levels.of_number(trial.number))
        return self._levels.budgets[level]


_STEP = 0.1


def cost_shares(violations: Callable[[Floats], Floats], kept: Floats) -> Floats:
    """How much keeping a tenth more of each dimension costs, relative to the mean of all dimensions, (D,).

    Args:
        violations: of the budget by fractions (N, D), as shape (N,).
        kept: the fraction that every dimension starts from, (1, D).
    """
    more = violations(np.minimum(1, kept + _STEP * np.eye(kept.shape[1])))
    costs = np.maximum(more - violations(kept), 0)
    return np.asarray(costs / costs.mean() if costs.any() else np.ones(len(costs)))
