"""The limit of a trial's time: it counts from when its worker is warm, and trials that are all late end the run."""

import time

import pytest

from compress.errors import RunError
from search.study.judgement import Judgement
from search.workers.cluster import PoolSettings
from search.workers.pool import WorkerPool
from search.workers.shutdown import Shutdown
from search.workers.time_limit import TimeLimit
from search.workers.worker_call import Running, WorkerCall
from tests.search.workers.pools import SMALL, WHOLE, outcome, process
from zoo.tasks.metric import Score

IN_TIME, FAILED = Judgement(Score({"accuracy": 1.0, "loss": 0.0}), 1.0), Judgement.failed(1.0, "unknown layer")


def late(method="judge", seconds=9.0):
    return Running(WorkerCall(1, method, (), 5.0, lost=("a node",)), 0, time.monotonic() - seconds)


def test_what_is_given_up_fails_with_the_limit():
    judgement = TimeLimit().given_up(late(), 1)
    assert judgement.error == "it ran longer than search.trial_timeout = 5 s"
    assert judgement.seconds == pytest.approx(9.0, abs=0.5) and judgement.lost == ("a node",)


@pytest.mark.parametrize(("workers", "most"), [(1, 3), (2, 3), (8, 8)])
def test_work_that_is_always_late_ends_the_run(workers, most):
    limit = TimeLimit()
    limit.warmed_up(12.34)
    limit.warmed_up(None)
    limit.ended("judge", FAILED)
    for seconds in range(6, 5 + most):
        limit.given_up(late(seconds=seconds), workers)
    with pytest.raises(RunError) as ended:
        limit.given_up(late(seconds=20), workers)
    assert str(ended.value) == (
        f"search.trial_timeout: expected trials that end within 5 s, received {most} in a row that did not and none "
        "that did: they were given up after 6.0 to 20.0 s, after a warm-up of one step, which took 12.3 s; raise "
        "search.trial_timeout, or lower proxy.steps or proxy.recalibration_images, and run the same command again"
    )


def test_one_that_ends_in_time_lets_any_number_of_its_kind_be_late():
    """A sweep without training, and the first rung, say nothing about the rungs that come later."""
    limit = TimeLimit()
    for method in ("judge", "probe"):
        limit.ended(method, IN_TIME)
    for _ in range(9):
        limit.given_up(late("judge"), 1)
    for _ in range(2):
        limit.given_up(late("go_on"), 1)
    with pytest.raises(RunError, match="received 3 in a row"):
        limit.given_up(late("go_on"), 1)


def pool_of(monkeypatch, warm_up, trial):
    """A worker that needs so many seconds to be warm, and so many for a trial; it is replaced after each."""

    class Worker:
        def __init__(self, task):
            pass

        def warm_up(self):
            time.sleep(warm_up)
            return warm_up

        def judge(self, parameters):
            time.sleep(trial)
            return Judgement(Score({"accuracy": 1.0, "loss": 0.0}), trial)

    monkeypatch.setattr("search.workers.pool.TrialWorker", Worker)
    settings = PoolSettings(1, SMALL, trials_per_worker=1, timeout=1.0)
    return WorkerPool(None, settings, [].append, Shutdown(0.0))


def ready(pool):
    while not pool.has_room:
        assert pool.wait(0.1) == {}
    return pool


def test_workers_that_start_slowly_have_the_whole_time_for_a_trial(ray_cluster, monkeypatch):
    """Each in the place of one that has judged as many as it may."""
    pool = ready(pool_of(monkeypatch, warm_up=1.5, trial=0.0))
    first = process(pool, 0)
    assert [outcome(pool, pool.submit(WHOLE)).error for _ in range(2)] == [None, None]
    assert process(pool, 0) != first and pool._slots[0].served == 1
    pool.close()


def test_workers_that_hang_end_the_run(ray_cluster, monkeypatch):
    pool = ready(pool_of(monkeypatch, warm_up=0.0, trial=60.0))
    for _ in range(2):
        hanging = process(pool, 0)
        late_one = outcome(pool, pool.submit(WHOLE))
        assert late_one.error == "it ran longer than search.trial_timeout = 1 s" and late_one.seconds > 1
        assert process(ready(pool), 0) != hanging
    key = pool.submit(WHOLE)
    with pytest.raises(RunError, match="expected trials that end within 1 s, received 3 in a row"):
        outcome(pool, key)
    pool.close()
