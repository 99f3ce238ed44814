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
    """Budgets that differ in the limit of one quantity, by equal factors.

    Attributes:
        quantity: what is traded for accuracy.
        budgets: at least two, the tightest first.
        original: the quantity of the original model.
    """

    quantity: Quantity
    budgets: tuple[Budget, ...]
    original: float

    @classmethod
    def between(cls, budget: Budget, widest: Limit, count: int, original: Cost) -> "Levels":
        """So many levels from a budget to a wider limit of a quantity that it limits; its other limits hold at all.

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
        """The level of a trial by its number: evenly spread over any run of numbers, whichever driver asks."""
        return int(van_der_corput(number) * len(self.budgets))

    def of(self, trial: optuna.Trial) -> int:
        """The level of a trial that was just asked for: that of its start, or by its number.

        It is stored before anything is suggested, so that the sampler finds it among the trial's user attributes.
        """
        if LEVEL not in trial.user_attrs:
            for name, value in self.attributes(self.of_number(trial.number)).items():
                trial.set_user_attr(name, value)
        return int(trial.user_attrs[LEVEL])

    def attributes(self, level: int) -> dict[str, Any]:
        """What a trial of this level has as user attributes: the level, and its limit as a fraction of the original."""
        limit = self.budgets[level].limit(self.quantity)
        return {LEVEL: level} | ({} if limit is None else {ALLOWED: limit.most / self.original})


def van_der_corput(number: int) -> float:
    """The number's binary digits mirrored at the point: 0, 1/2, 1/4, 3/4, 1/8, ... (van der Corput, 1935)."""
    return int(f"{number:b}"[::-1], 2) / (1 << number.bit_length())


def _with_limit(budget: Budget, limit: Limit) -> Budget:
    return replace(budget, limits=tuple(limit if one.quantity == limit.quantity else one for one in budget.limits))
