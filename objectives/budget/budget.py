"""A budget: one limit or several, which a compressed model must meet together."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compress.errors import BudgetError
from objectives.budget.limit import Limit
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CandidateCosts, CostModel
from objectives.cost.latency_table import LatencyTable
from objectives.cost.quantities.standard import MEMORY
from objectives.cost.quantity import Quantity, quantities
from objectives.cost.terms import Floats, Ints


@dataclass(frozen=True)
class Budget:
    """What a compressed model may cost.

    Attributes:
        limits: at least one, each of another quantity.
        table: what predicts latency; None where it is not limited.

    Raises:
        BudgetError: no limit, or two of the same quantity.
    """

    limits: tuple[Limit, ...]
    table: LatencyTable | None = None

    def __post_init__(self) -> None:
        names = [limit.quantity.name for limit in self.limits]
        if not names or len(set(names)) < len(names):
            raise BudgetError(f"budget: expected at least one limit, each of another quantity, received {names}")

    @classmethod
    def parse(
        cls, amounts: Mapping[str, float | int | str], original: Cost, table: LatencyTable | None = None
    ) -> "Budget":
        """The budget that amounts by a quantity's name mean for a model of the original cost.

        Raises:
            BudgetError: no amount, an unknown quantity, or an amount that is malformed or above the original.
        """
        unknown = [name for name in amounts if name not in quantities()]
        if unknown:
            raise BudgetError(f"budget: expected keys out of {', '.join(quantities())}, received {', '.join(unknown)}")
        limited = [quantity for name, quantity in quantities().items() if name in amounts]
        return cls(tuple(Limit.parse(item, amounts[item.name], item.of(original)) for item in limited), table)

    def limit(self, quantity: Quantity) -> Limit | None:
        """The limit of one quantity, None where it has none."""
        return next((limit for limit in self.limits if limit.quantity == quantity), None)

    def without(self, quantity: Quantity) -> "Budget | None":
        """The other limits, None where there are none."""
        others = tuple(limit for limit in self.limits if limit.quantity != quantity)
        return Budget(others, self.table) if others else None

    def violation(self, cost: Cost) -> float:
        """How far a cost is over the limit that it breaks most, as a fraction of it; <= 0 where it meets all."""
        return self.tightest(cost).violation(cost)

    def violations(self, model: CostModel, kept: Ints, ranks: Ints) -> Floats:
        """The violation of many candidates, shape (N,); arrays as ``CostModel.evaluate`` takes them."""
        costs = CandidateCosts(model, kept, ranks)
        violations = [limit.quantity.values(costs) / limit.most - 1 for limit in self.limits]
        return np.asarray(np.max(violations, axis=0))

    def tightest(self, cost: Cost) -> Limit:
        """The limit that a cost breaks most, or that has the least to spare."""
        return max(self.limits, key=lambda limit: limit.violation(cost))

    def partway(self, original: Cost, share: float) -> "Budget":
        """The budget after a share of the way, in factors, from the original cost to this budget.

        Memory is limited all the way: pruning alone lowers it, so that no later stage could make up the rest.
        """
        return Budget(
            tuple(limit if limit.quantity == MEMORY else limit.partway(original, share) for limit in self.limits),
            self.table,
        )

    def check_reachable(self, smallest: Cost, within: str = "") -> None:
        """Refuse a budget that the smallest model of the search space does not meet.

        Args:
            smallest: the smallest cost that can be reached.
            within: what else it meets, to stand in the message.

        Raises:
            BudgetError: names the limit that is missed most, and the smallest figure.
        """
        limit = self.tightest(smallest)
        if limit.violation(smallest) > 0:
            what = f"the smallest that this search space reaches{within}"
            raise limit.missed(smallest, what, "raise the budget or space.ratio_max")
