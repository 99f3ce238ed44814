"""The section ``front``: one search for several budgets of one quantity."""

from typing import Literal

from pydantic import Field

from configs.section import Amount, Section


class FrontConfig(Section):
    """Trials at several levels, from the budget's own limit of a quantity to a wider one, in equal factors."""

    quantity: Literal["flops", "params", "size", "memory", "latency"] = Field(
        default="flops", description="what is traded for accuracy; one that the budget limits"
    )
    widest: Amount = Field(description="the widest limit of it, written as in the budget: 60%, 2x, 120M")
    levels: int = Field(default=4, ge=2, description="budgets in all, the tightest and the widest included")
