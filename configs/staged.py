"""Whether a search has stages, and the section ``search.staged``: how it divides its budget and its trials."""

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import Field

from configs.section import Section

Strategy = Literal["auto", "joint", "staged"]
AUTO: Final = "auto"
JOINT: Final = "joint"
STAGED: Final = "staged"


class StagedConfig(Section):
    """What the first of two stages gets, where they are searched one after the other."""

    budget: float = Field(
        default=0.5, gt=0, lt=1, description="how far the first stage goes to the budget, in factors: 0.5 is halfway"
    )
    trials: float = Field(default=0.5, gt=0, lt=1, description="fraction of the trials that the first stage gets")


def obstacle(recipe: Sequence[str], finetune_epochs: int, trials: int, has_front: bool) -> str | None:
    """Why a run cannot be searched in two stages: what that needs, and what there is. None where it can."""
    needed = {
        "a recipe of two stages": (len(recipe) == 2, f"recipe {list(recipe)}"),
        "finetune.epochs of at least 1": (finetune_epochs > 0, f"{finetune_epochs}"),
        "search.trials of at least 2": (trials > 1, f"{trials}"),
        "front null": (not has_front, "a front"),
    }
    for expected, (holds, received) in needed.items():
        if not holds:
            return f"expected {expected} for a staged search, received {received}"
    return None
