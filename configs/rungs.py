"""The section ``rungs``: how many trials are judged well, and how well."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from configs.section import Count, Section

Steps = Annotated[tuple[Count, ...], Field(strict=False)]


class RungsConfig(Section):
    """Rungs of a trial after the first, which is `proxy.steps`; without any a trial has that one."""

    steps: Steps = Field(default=(), description="SGD steps of each in all, rising; the first rung is proxy.steps")
    one_in: Count = Field(default=3, description="of the trials judged at a rung, one in so many goes on to the next")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(after <= before for before, after in pairwise(self.steps)):
            raise ValueError(f"expected steps that rise from rung to rung, received {list(self.steps)}")
        return self
