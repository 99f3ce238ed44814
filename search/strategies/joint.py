"""The joint search: each trial has both ratios and ranks."""

import optuna

from search.driver.driver import Driver
from search.driver.start_queue import distinct, queue_starts
from search.driver.sweep import swept
from search.strategies.job import Job
from search.workers.pool import WorkerPool
from search.workers.pool_factory import PoolFactory


def run_joint(job: Job, study: optuna.Study, open_pool: PoolFactory) -> None:
    """Search to the planned number of trials, then hold the finals; goes on where the study stands.

    Raises:
        KeyboardInterrupt: the study is left resumable.
    """
    driver, finals = job.driver(study), job.finals(study)
    remaining = driver.remaining
    if not (remaining or finals.pending):
        finals.announce()
        return
    with open_pool(job.model, job.task, remaining or len(finals.pending)) as pool:
        if remaining:
            _queue_starts(job, driver, pool)
            driver.run(pool, job.listener)
        finals.run(pool, job.listener)


def _queue_starts(job: Job, driver: Driver, pool: WorkerPool) -> None:
    section = job.config.search
    sensitivity = swept(driver, pool, job.listener) if section.sweeps else None
    if section.projection:
        queue_starts(
            driver.study,
            lambda budget: distinct(
                {
                    **job.earlier.starts(job.space, budget),
                    **job.starts(job.model, job.space, budget, sensitivity),
                },
                job.space,
                budget,
                job.listener.noted,
            ),
            job.budget,
            job.levels,
        )
