"""Whether ratios and ranks are searched together or stage by stage, where the configuration leaves it open."""

from dataclasses import replace

from compress.errors import BudgetError
from compress.parameters import PRUNE
from configs.schema.run import RunConfig
from configs.schema.search import AUTO, JOINT, STAGED
from search.strategies.job import Job
from search.strategies.stage_plan import StagePlan

_FEWEST_TRIALS = 40
"""Trials below which a search is not divided into stages by itself: its sampler would hardly learn in either."""


def decided(job: Job) -> Job:
    """The job with ``search.strategy`` joint or staged; ``auto`` becomes staged where that was measured to find more.

    Where ``auto`` becomes joint because a stage could not meet its budget, the listener is told the reason.

    Raises:
        BudgetError: the configuration asks for a staged search, and a stage cannot meet its budget.
    """
    config = job.config
    if config.search.strategy == JOINT:
        return job
    is_pointless = config.search.strategy == AUTO and not _finds_more(config)
    if is_pointless or config.staged_obstacle is not None:
        return replace(job, config=config.with_strategy(JOINT))
    try:
        StagePlan(job.space, job.budget, config.search.staged.budget).check(job.model, job.pruning)
    except BudgetError as error:
        if config.search.strategy == STAGED:
            raise
        job.listener.noted(f"ratios and ranks are searched together; a search in stages would be refused: {error}")
        return replace(job, config=config.with_strategy(JOINT))
    return replace(job, config=config.with_strategy(STAGED))


def _finds_more(config: RunConfig) -> bool:
    """Whether stages were measured to find more than a joint search (docs/results.md)."""
    return config.recipe[0] == PRUNE and config.search.trials >= _FEWEST_TRIALS
