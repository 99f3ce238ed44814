"""The joint search: ratios and ranks of a candidate in one trial."""

import optuna

from objectives.budget import Budget
from search.crew import Crew
from search.job import Job
from search.start_queue import Starts, queue_starts
from search.starts import starts


def run_joint(job: Job, study: optuna.Study, crew: Crew) -> None:
    """Search to the planned number of trials, then hold the finals; from where the study stands.

    Raises:
        KeyboardInterrupt: the study is left resumable.
    """
    driver, finals = job.driver(study), job.finals(study)
    if not (driver.remaining or finals.pending):
        return
    if driver.remaining and job.config.search.projection:
        queue_starts(study, lambda budget: _starts(job, budget), job.budget, job.levels)
    with crew(job.model, job.task(), driver.remaining or len(finals.pending)) as pool:
        if driver.remaining:
            driver.run(pool, job.listener)
        finals.run(pool, job.listener)


def _starts(job: Job, budget: Budget) -> Starts:
    known = starts(job.model, job.space, budget, job.pruning) if job.config.search.starts else {}
    return {**job.earlier.starts(job.space, budget), **known}
