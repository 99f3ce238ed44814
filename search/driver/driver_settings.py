"""How the trials of a study are proposed and ranked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from compress.parameters import Stage
from search.driver.rungs import Ladder
from zoo.tasks.metric import ACCURACY, Metric


@dataclass(frozen=True)
class DriverSettings:
    """How proposals are made and ranked.

    Attributes:
        seed: of all proposals.
        sampler: name of the sampler.
        trials: number of planned trials.
        early_stopping: trials without an improvement after which no more are proposed; None to judge all.
        projection: whether each proposal is projected onto the budget.
        metric: what trials are ranked by.
        ladder: the rungs at which trials are judged.
        stage: the stage of the recipe that is searched; None where all are searched together.
        sampler_options: arguments of the sampler's class.
    """

    seed: int
    sampler: str
    trials: int
    projection: bool
    metric: Metric = ACCURACY
    ladder: Ladder = Ladder()
    stage: Stage | None = None
    sampler_options: Mapping[str, Any] = field(default_factory=dict)
    early_stopping: int | None = None
