"""The section ``search.staged``: how a staged search divides its budget and its trials."""

from collections.abc import Sequence

from pydantic import Field

from configs.section import Section


class StagedConfig(Section):
    """What the first of two stages gets, where they are searched one after the other."""

    budget: float = Field(
        default=0.5, gt=0, lt=1, description="how far the first stage goes to the budget, in factors: 0.5 is halfway"
    )
    trials: float = Field(default=0.5, gt=0, lt=1, description="fraction of the trials that the first stage gets")


def check_staged(recipe: Sequence[str], finetune_epochs: int, trials: int, has_front: bool) -> None:
    """Refuse a run that cannot be searched in two stages.

    Raises:
        ValueError: names the key.
    """
    needed = {
        "a recipe of two stages": (len(recipe) == 2, f"recipe {list(recipe)}"),
        "finetune.epochs of at least 1": (finetune_epochs > 0, f"{finetune_epochs}"),
        "search.trials of at least 2": (trials > 1, f"{trials}"),
        "front null": (not has_front, "a front"),
    }
    for expected, (holds, received) in needed.items():
        if not holds:
            raise ValueError(
                f"expected {expected} for search.strategy 'staged', received {received}; change it, or search joint"
            )
