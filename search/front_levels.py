"""The levels of the front that a configuration asks for."""

from dataclasses import replace

from compress.errors import BudgetError
from configs.schema import RunConfig
from objectives.budget import Budget
from objectives.cost import Cost
from objectives.limit import Limit
from objectives.quantity import QUANTITIES
from search.levels import Levels


def front_levels(config: RunConfig, limits: Budget, original: Cost) -> Levels | None:
    """The levels of a front, None without one.

    Args:
        config: of the run.
        limits: its budget.
        original: cost of the original model.

    Raises:
        BudgetError: a widest limit that is malformed, above the original, or not above the budget's.
    """
    section = config.front
    if section is None:
        return None
    quantity = QUANTITIES[section.quantity]
    measured = original if limits.table is None else replace(original, latency=limits.table.original)
    try:
        widest = Limit.parse(quantity, section.widest, quantity.of(measured))
    except BudgetError as error:
        raise BudgetError(str(error).replace(f"budget.{quantity.name}:", "front.widest:")) from None
    return Levels.between(limits, widest, section.levels, measured)
