"""The workers of a search: a pool on a Ray cluster, for as long as there is work for it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from configs.search import SearchConfig
from search.cluster import cluster, worker_count
from search.onednn import worker_environment
from search.pool import PoolSettings, WorkerPool
from search.worker import Task

Crew = Callable[[Any, Task, int], AbstractContextManager[WorkerPool]]
"""Makes a pool, given the model of a task, the task, and how many candidates there are for it."""


@contextmanager
def ray_crew(section: SearchConfig, model: Any, task: Task, candidates: int) -> Iterator[WorkerPool]:
    """A pool with the resources of a configuration; its workers end with the context.

    Raises:
        RunError: there is no cluster, or no room in it.
    """
    with cluster(section.address, section.workers, section.cpus_per_worker):
        workers = worker_count(section.workers, section.cpus_per_worker, section.gpus_per_worker, candidates)
        resources = PoolSettings(
            workers,
            section.cpus_per_worker,
            section.gpus_per_worker,
            section.trials_per_worker,
            section.trial_timeout,
            worker_environment(model),
        )
        pool = WorkerPool(task, resources)
        try:
            yield pool
        finally:
            pool.close()
