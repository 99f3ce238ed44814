"""Whether ratios and ranks are searched together or stage by stage, where the configuration leaves it open."""

from dataclasses import replace

from compress.errors import BudgetError
from configs.staged import AUTO, JOINT, STAGED
from search.job import Job
from search.stage_plan import StagePlan

_FEWEST_TRIALS = 40
"""For stages without being asked to: with fewer, the sampler hardly begins to learn in each."""


def decided(job: Job) -> Job:
    """The job with the strategy that its configuration names, or else staged where that is possible and trials suffice.

    The listener is told of a model or a budget that makes it impossible.

    Raises:
        BudgetError: a staged search is asked for, and a stage cannot do its part.
    """
    config = job.config
    if config.search.strategy == JOINT:
        return job
    few = config.search.strategy == AUTO and config.search.trials < _FEWEST_TRIALS
    if few or config.staged_obstacle is not None:
        return replace(job, config=config.with_strategy(JOINT))
    try:
        StagePlan(job.space, job.budget, config.search.staged.budget).check(job.model, job.pruning)
    except BudgetError as error:
        if config.search.strategy == STAGED:
            raise
        job.listener.noted(f"ratios and ranks are searched together: {error}")
        return replace(job, config=config.with_strategy(JOINT))
    return replace(job, config=config.with_strategy(STAGED))
