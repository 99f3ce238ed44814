"""Workers that go from one pool to the next."""

import os
import time
from types import SimpleNamespace

import pytest
import ray
from ray.exceptions import RayActorError

from compress.parameters import CompressionParameters
from search.workers.cluster import PoolSettings, Share
from search.workers.idle_workers import IdleWorkers
from search.workers.pool import WorkerPool
from search.workers.shutdown import Shutdown
from search.workers.worker import TrialWorker, model_bytes
from tests.search.fixtures.nets import PRUNE_ONLY, trained_like
from tests.search.fixtures.runs import PATIENCE
from tests.search.workers.pools import SMALL, WHOLE, all_free, ask, outcome, pool_task, process, use_light_workers

ONE = PoolSettings(1, SMALL)


def opened(idle, settings=ONE, task="task", warn=print, shutdown=None):
    pool = WorkerPool(task, settings, warn, shutdown or Shutdown(0.0), idle=idle)
    all_free(pool)
    return pool


def ended(actor):
    """Waits for the end of an actor's process: Ray kills in its own time."""
    with pytest.raises(RayActorError):
        for _ in range(10 * PATIENCE):
            ray.get(actor.__ray_call__.remote(lambda worker: os.getpid()))
            time.sleep(0.1)
    return True


def test_a_worker_judges_another_task_as_one_that_begins_with_it(monkeypatch):
    # This process has frozen what tests share.
    still = SimpleNamespace(collect=lambda: 0, freeze=lambda: None, unfreeze=lambda: None)
    monkeypatch.setattr("search.workers.worker.gc", still)
    monkeypatch.setattr("search.workers.worker.use_threads", lambda threads: None)
    first = pool_task()
    net = trained_like((6, 8))
    second = type(first)(model_bytes(net), first.dataset, first.proxy, PRUNE_ONLY, first.pruning, threads=1)
    parameters = CompressionParameters({"layer1.0.conv1": 0.5}, {})
    expected = TrialWorker(second).judge(parameters)
    worker = TrialWorker(first)
    before = worker.judge(CompressionParameters({"add": 0.5}, {}))
    assert worker.take(second, False) is None
    assert expected.error is None and worker.judge(parameters).score == expected.score
    assert worker.take(first, True) > 0
    assert worker.judge(CompressionParameters({"add": 0.5}, {})).score == before.score


def test_the_next_pool_has_the_processes_of_the_last(ray_cluster, monkeypatch):
    use_light_workers(monkeypatch)
    idle = IdleWorkers()
    first = opened(idle, PoolSettings(2, SMALL))
    for _ in range(2):
        outcome(first, first.submit(WHOLE))
    processes = {process(first, worker) for worker in (0, 1)}
    served = sorted(slot.served for slot in first._slots)
    first.close()
    second = opened(idle, task="another")
    assert process(second, 0) in processes and ask(second, 0, lambda worker: worker.task) == "another"
    assert outcome(second, second.submit(WHOLE)).score.figures["accuracy"] == 1.0
    second.close()
    third = opened(idle, PoolSettings(3, SMALL), "third")
    assert processes < {process(third, worker) for worker in range(3)}
    # What they have judged counts: old ones are replaced.
    assert sorted(slot.served for slot in third._slots)[1:] in ([1, 2], [0, 3]) and sum(served) == 2
    actors = [slot.actor for slot in third._slots]
    third.close()
    idle.close()
    assert all(map(ended, actors))


@pytest.mark.parametrize("other", [PoolSettings(1, Share(cpus=0.002)), PoolSettings(1, SMALL, environment={"A": "1"})])
def test_workers_of_other_resources_are_ended(ray_cluster, monkeypatch, other):
    use_light_workers(monkeypatch)
    idle = IdleWorkers()
    first = opened(idle)
    actor = first._slots[0].actor
    first.close()
    second = opened(idle, other)
    assert second._slots[0].actor != actor and ended(actor)
    second.close()
    idle.close()


def test_workers_of_a_search_that_stops_are_ended(ray_cluster, monkeypatch):
    use_light_workers(monkeypatch)
    idle, shutdown = IdleWorkers(), Shutdown(0.0)
    pool = opened(idle, shutdown=shutdown)
    actor = pool._slots[0].actor
    with shutdown.working():
        shutdown.request()
    pool.close()
    assert ended(actor)


def test_in_the_place_of_one_that_is_gone_another_is_started(ray_cluster, monkeypatch):
    use_light_workers(monkeypatch)
    idle, told = IdleWorkers(), []
    first = opened(idle)
    actor = first._slots[0].actor
    first.close()
    ray.kill(actor)
    assert ended(actor)
    second = opened(idle, warn=told.append)
    assert outcome(second, second.submit(WHOLE)).error is None
    assert len(told) == 1 and told[0].startswith("a worker did not start: ")
    second.close()
    idle.close()
