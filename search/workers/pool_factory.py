"""Opens a worker pool on a Ray cluster with the resources of a configuration."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras

from compress.cloning.walk import as_functional
from configs.schema.search import SearchConfig
from search.study.judgement import Judgement
from search.workers.cluster import PoolSettings, Share, cluster, room, worker_count
from search.workers.idle_workers import IdleWorkers
from search.workers.onednn import worker_environment
from search.workers.pool import WorkerPool
from search.workers.shutdown import Shutdown
from search.workers.worker import Task


def submit_and_wait(pool: WorkerPool, submit: Callable[[], int]) -> Judgement:
    """Submit one candidate as soon as a worker is free, and wait for its judgement.

    Raises:
        RunError: workers die before they are ready.
        KeyboardInterrupt: a shutdown is requested.
    """
    while not pool.has_room:
        pool.wait(1.0)
    key = submit()
    judgements: dict[int, Judgement] = {}
    while key not in judgements:
        judgements |= pool.wait(1.0)
    return judgements[key]


PoolFactory = Callable[[Any, Task, int], AbstractContextManager[WorkerPool]]
"""Opens a pool for a model, a task that judges its candidates, and a number of candidates."""


def share_of(section: SearchConfig) -> Share:
    """What a configuration reserves for each worker."""
    memory = section.memory_per_worker
    return Share(section.cpus_per_worker, section.gpus_per_worker, None if memory is None else round(memory * 1e9))


def pool_settings(section: SearchConfig, model: Any, workers: int) -> PoolSettings:
    """The resources of ``workers`` workers that judge candidates of a model."""
    return PoolSettings(
        workers,
        share_of(section),
        trials_per_worker=section.trials_per_worker,
        retries=section.retries,
        timeout=section.trial_timeout,
        environment=worker_environment(keras.saving.serialize_keras_object(as_functional(model))),
    )


@contextmanager
def ray_pool(
    section: SearchConfig,
    warn: Callable[[str], None],
    shutdown: Shutdown,
    model: Any,
    task: Task,
    candidates: int,
    idle: IdleWorkers | None = None,
) -> Iterator[WorkerPool]:
    """A pool with the resources of a configuration; with ``workers: max`` it grows with the cluster.

    Args:
        section: the configuration's section ``search``.
        warn: called with a line for every worker that is lost, and when workers join.
        shutdown: how the pool is asked to end early.
        model: whose candidates are judged.
        task: the workers' task.
        candidates: how many there are; no more workers are started.
        idle: workers of earlier pools, where free ones of this one are left as well; None to end them here.

    Raises:
        RunError: there is no cluster, or no room in it.
    """
    share = share_of(section)
    with cluster(section.address, section.workers, section.cpus_per_worker, section.niceness):
        settings = pool_settings(section, model, worker_count(section.workers, share, candidates))
        grown = (lambda: min(candidates, room(share))) if section.workers == "max" else None
        pool = WorkerPool(task.shared(), settings, warn, shutdown, grown, idle)
        try:
            with shutdown.working():
                yield pool
        finally:
            pool.close()
