"""Workers that are lost, late, old or too few, on a real local Ray cluster."""

import math
import os
import shutil
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest

from compress.errors import RunError
from compress.parameters import CompressionParameters
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.study.trial_record import records
from search.workers.cluster import PoolSettings, Share, _socket_folder, reason_to_wait
from search.workers.pool import WorkerPool
from search.workers.shutdown import Shutdown
from tests.search.fixtures.nets import space
from tests.search.fixtures.runs import run_forked
from tests.search.workers.pools import (
    HALF,
    SMALL,
    TOLD,
    WHOLE,
    all_free,
    changed,
    outcome,
    process,
    use_light_workers,
)


class Killer:
    """Kills the worker of the second trial while it is judging, and of as many trials after it as it is told.

    held: a file that is there meanwhile, for workers to wait that judge at once.
    """

    def __init__(self, pool, kills, held=None):
        self.pool, self.kills, self.submitted, self.held = pool, kills, 0, held

    @property
    def has_room(self):
        # One at a time, for the killed to be the one that was meant.
        return self.pool.has_room and not self.pool._running and not self.pool._waiting

    @property
    def starting(self):
        return self.pool.starting

    def submit(self, parameters):
        self.submitted += 1
        if self.held and self.submitted == 2:
            self.held.touch()
        key = self.pool.submit(parameters)
        self._kill()
        return key

    def wait(self, seconds):
        result = self.pool.wait(seconds)
        self._kill()
        return result

    def _kill(self):
        if self.submitted == 2 and self.kills and self.pool._running:
            # At once: a worker that is warm judges in less than a moment of waiting.
            self.kills -= 1
            (running,) = self.pool._running.values()
            os.kill(self.pool._slots[running.slot].pid, signal.SIGKILL)
            if self.held and not self.kills:
                self.held.unlink()


def searched(pool, kills, held=None):
    all_free(pool)
    for slot, _ in enumerate(pool._slots):
        pool._slots[slot].pid = process(pool, slot)
    study = optuna.create_study(direction="maximize")
    Driver(study, space("tiny"), HALF, DriverSettings(1, "random", 4, True)).run(Killer(pool, kills, held), Listener())
    all_free(pool)
    return records(study)


def test_the_trial_of_a_killed_worker_is_started_again(pool):
    undisturbed = searched(pool, kills=0)
    TOLD.clear()
    result = searched(pool, kills=1)
    assert [(one.number, one.parameters, one.score) for one in result] == [
        (one.number, one.parameters, one.score) for one in undisturbed
    ]
    assert [len(one.lost) for one in result] == [0, 1, 0, 0]
    assert result[1].lost[0].endswith("(ActorDiedError)") and "\n" not in result[1].lost[0]
    assert TOLD == [f"a worker was lost: {result[1].lost[0]}; its work is started again"]
    assert result[1].worker.partition(":")[2] in {str(process(pool, worker)) for worker in (0, 1)}


def test_a_trial_whose_workers_die_again_and_again_fails(ray_cluster, monkeypatch, tmp_path):
    use_light_workers(monkeypatch, held=tmp_path / "held")
    light = WorkerPool(None, PoolSettings(2, SMALL), [].append, Shutdown(0.0))
    result = searched(light, kills=2, held=tmp_path / "held")
    light.close()
    assert [record.state for record in result] == ["complete", "failed", "complete", "complete"]
    assert result[1].error.startswith("its worker was lost: ") and result[1].error.endswith("(ActorDiedError)")
    assert len(result[1].lost) == 1
    assert "\n" not in result[1].error
    assert result[1].parameters.ratios


def test_a_lost_rung_is_climbed_again_from_the_start(pool):
    """The steps before are taken anew: the figures are those of the candidate that was not disturbed."""
    parameters = CompressionParameters({"conv2": 0.5, "add": 0.25}, {"block.conv1": (4, 6)})
    all_free(pool)
    outcome(pool, pool.submit(parameters))
    undisturbed = outcome(pool, pool.go_on(parameters, 9))
    outcome(pool, pool.submit(parameters))
    victim = process(pool, next(index for index in pool._free if pool._slots[index].holds == parameters))
    key = pool.go_on(parameters, 9)
    os.kill(victim, signal.SIGKILL)
    again = outcome(pool, key)
    assert again.score == undisturbed.score
    assert len(again.lost) == 1 and not again.worker.endswith(f":{victim}")
    all_free(pool)


@pytest.mark.parametrize(("length", "is_short"), [(39, True), (40, False), (83, False)])
def test_sockets_lie_elsewhere_where_the_temporary_folder_is_too_long(monkeypatch, length, is_short):
    """Paths of sockets may have 107 bytes, and Ray lays its own, of 68, below TMPDIR."""
    monkeypatch.setattr("tempfile.tempdir", "/" + "x" * (length - 1))
    with _socket_folder() as folder:
        assert (folder is None) == is_short and (is_short or len(folder) < 39)


def test_a_temporary_folder_of_any_length(tmp_path, monkeypatch):
    folder = Path("/tmp") / f"{tmp_path.parent.name}{'x' * 200}"[: 200 - len("/tmp/")]
    folder.mkdir()
    code = "from search.workers.cluster import cluster\nwith cluster(None, 1, 1.0): print('started')"
    monkeypatch.setenv("TMPDIR", str(folder))
    try:
        done = run_forked(code)
    finally:
        shutil.rmtree(folder)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


def test_workers_that_never_start_end_the_search(ray_cluster, monkeypatch):
    """What breaks every worker while it loads is the run's fault, not that of a machine."""
    use_light_workers(monkeypatch, broken=True)
    told = []
    small = WorkerPool(None, PoolSettings(1, SMALL), told.append, Shutdown(0.0))
    with pytest.raises(RunError, match="expected workers that start, received 3 in a row that did not: .*no model"):
        while True:
            assert small.wait(1.0) == {}
    # On a slow machine it is also told that no worker is ready.
    assert sum(line.startswith("a worker did not start: ") for line in told) == 2
    small.close()


def test_a_cluster_without_room_is_told(ray_cluster, monkeypatch):
    monkeypatch.setattr("search.workers.pool._PATIENCE_SECONDS", 0.5)
    told = []
    large = WorkerPool(None, PoolSettings(1, Share(cpus=9.0)), told.append, Shutdown(0.0))
    for _ in range(3):
        assert large.wait(0.4) == {}
    assert told == ["no worker is ready after 0.5 s: waiting for the cluster to have room for 9 CPUs and 0 GPUs"]
    large.close()


def test_workers_that_are_slow_to_start_are_told(ray_cluster, monkeypatch):
    """A worker that a node has given a process waits for no room, whatever it loads meanwhile."""
    use_light_workers(monkeypatch)
    monkeypatch.setattr("search.workers.pool._PATIENCE_SECONDS", math.inf)
    told = []
    small = WorkerPool(None, PoolSettings(1, SMALL), told.append, Shutdown(0.0))
    (slot,) = small._slots
    while reason_to_wait([slot.actor], SMALL).startswith("waiting"):
        time.sleep(0.05)
    monkeypatch.setattr("search.workers.pool._PATIENCE_SECONDS", 0.0)
    small._warn_if_none_is_ready()
    assert told == ["no worker is ready after 0 s: the workers have room and are slow to start"]
    small.close()


def test_the_pool_grows_with_the_cluster(ray_cluster, monkeypatch):
    use_light_workers(monkeypatch)
    told, rooms = [], [1]
    small = WorkerPool(None, PoolSettings(1, SMALL), told.append, Shutdown(0.0), lambda: rooms[-1])
    all_free(small)
    for expected in (1, 2, 2):
        rooms.append(expected)
        small._room_checked = -1e9
        small.wait(0.0)
        assert len(small._slots) == expected
    assert [line for line in told if "room for 2 workers" in line] == [
        "the cluster has room for 2 workers now, 1 before"
    ]
    all_free(small)
    keys = {small.submit(WHOLE), small.submit(WHOLE)}
    assert {running.slot for running in small._running.values()} == {0, 1} and not small.has_room
    while keys:
        keys -= set(small.wait(1.0))
    small.close()


@contextmanager
def minding(pool, shutdown):
    """The pool minds this shutdown meanwhile."""
    before = pool._shutdown
    with shutdown.working():
        pool._shutdown = shutdown
        try:
            yield shutdown
        finally:
            pool._shutdown = before


def test_a_shutdown_lets_running_trials_finish(pool):
    all_free(pool)
    with minding(pool, Shutdown(600.0)) as shutdown:
        key = pool.submit(WHOLE)
        shutdown.request()
        assert outcome(pool, key).error is None
        assert not pool.has_room
        with pytest.raises(KeyboardInterrupt):
            pool.wait(1.0)


def test_a_shutdown_waits_no_longer_than_its_grace(pool, tmp_path):
    def until_told(*_):
        import time

        while not (tmp_path / "told").exists():
            time.sleep(0.05)
        raise RuntimeError("told")

    all_free(pool)
    with changed(pool, pool._free[0], lambda actor: setattr(actor, "_repair_and_score", until_told)):
        key = pool.submit(WHOLE)
        with minding(pool, Shutdown(0.0)) as shutdown:
            shutdown.request()
            time.sleep(0.01)
            with pytest.raises(KeyboardInterrupt):
                pool.wait(1.0)
        (tmp_path / "told").touch()
        assert outcome(pool, key).error == "RuntimeError: told"
