"""The levels of a front: budgets from the tightest to the widest, and which of them a trial is projected to."""

from dataclasses import dataclass, replace
from typing import Any

import optuna

from compress.errors import BudgetError
from objectives.budget.budget import Budget, Limit
from objectives.cost.cost import Cost
from objectives.cost.quantity import Quantity
from search.study.trial_record import ALLOWED, LEVEL


@dataclass(frozen=True)
class Levels:
    """Budgets that differ in the limit of one quantity, each wider than the one before by the same factor.

    Attributes:
        quantity: the cost that is traded for accuracy.
        budgets: at least two, the tightest first.
        original: the quantity's figure for the original model.
    """

    quantity: Quantity
    budgets: tuple[Budget, ...]
    original: float

    @classmethod
    def between(cls, budget: Budget, widest: Limit, count: int, original: Cost) -> "Levels":
        """Levels from a budget to a wider limit of one of its quantities; all keep its other limits.

        Args:
            budget: the tightest level.
            widest: the limit of the widest level.
            count: number of levels, at least two.
            original: cost of the original model.

        Raises:
            BudgetError: the limit is not above the budget's, or the budget does not limit its quantity.
        """
        quantity, tightest = widest.quantity, budget.limit(widest.quantity)
        if tightest is None or widest.most <= tightest.most:
            least = "no limit of it" if tightest is None else f"{tightest.text} = {tightest.most:.0f} {quantity.unit}"
            raise BudgetError(
                f"front.widest: expected more than budget.{quantity.name}, {least}, received {widest.text} = "
                f"{widest.most:.0f}; raise front.widest"
            )
        shares = [index / (count - 1) for index in range(1, count - 1)]
        most = [tightest.most ** (1 - share) * widest.most**share for share in shares]
        between = [Limit(quantity, figure, f"level {index} of the front") for index, figure in enumerate(most, 1)]
        wider = (_with_limit(budget, limit) for limit in (*between, widest))
        return cls(quantity, (budget, *wider), quantity.of(original))

    def of_number(self, number: int) -> int:
        """The level of the trial with this number; any sequence of numbers is spread evenly over the levels."""
        return int(van_der_corput(number) * len(self.budgets))

    def of(self, trial: optuna.Trial) -> int:
        """The level of a trial that was just asked for: of a start its own, else by the trial's number.

        It is stored before parameters are suggested, so that the sampler can read it from the trial's user attributes.
        """
        if LEVEL not in trial.user_attrs:
            for name, value in self.attributes(self.of_number(trial.number)).items():
                trial.set_user_attr(name, value)
        return int(trial.user_attrs[LEVEL])

    def attributes(self, level: int) -> dict[str, Any]:
        """User attributes of a trial of this level: the level, and its limit as a fraction of the original's figure."""
        limit = self.budgets[level].limit(self.quantity)
        return {LEVEL: level} | ({} if limit is None else {ALLOWED: limit.most / self.original})


def van_der_corput(number: int) -> float:
    """The number's binary digits mirrored at the point: 0, 1/2, 1/4, 3/4, 1/8, ... (van der Corput, 1935)."""
    return int(f"{number:b}"[::-1], 2) / (1 << number.bit_length())


def _with_limit(budget: Budget, limit: Limit) -> Budget:
    return replace(budget, limits=tuple(limit if one.quantity == limit.quantity else one for one in budget.limits))
