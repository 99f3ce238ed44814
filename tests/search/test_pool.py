"""Workers on a real local Ray cluster."""

import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import ray

from compress.criterion import GeometricMedian
from compress.errors import RunError
from compress.parameters import CompressionParameters
from compress.pruning_settings import PruningSettings
from compress.recipe import apply_parameters, compress_in_stages, own_values
from objectives.accuracy import AccuracyProxy, ProxySettings
from objectives.metric import Metric
from objectives.score import score
from search import settings
from search.cluster import Share, cluster
from search.driver import Driver, DriverSettings, SilentListener
from search.ladder import Ladder
from search.pool import WorkerPool
from search.pool_settings import PoolSettings
from search.ray_metrics import BEST, TRIALS, RayMetrics
from search.shutdown import Shutdown
from search.trial_record import records
from search.worker import FinalTask, Task, model_bytes
from tests.search.nets import PRUNE_FIRST, cost, flops_budget, model, space
from tests.search.runs import config
from zoo.training import Recipe, train

PROXY = ProxySettings(recalibration_images=64, steps=2, batch_size=32)
PRUNING = PruningSettings(GeometricMedian(), "standard_score")
WHOLE = CompressionParameters.none()
RECIPE = Recipe(epochs=1, learning_rate=0.01, batch_size=64)
FLOPS = cost("tiny").cost(WHOLE).flops
TOLD: list[str] = []
SMALL = Share(cpus=0.001)
HALF = flops_budget(0.5 * FLOPS, "0.5")


@pytest.fixture(scope="module")
def task() -> Task:
    data = settings.dataset(config(Path()).data, seed=0)
    final = FinalTask(RECIPE, HALF)
    return Task(model_bytes(model("tiny")), data, PROXY, PRUNE_FIRST, PRUNING, threads=1, final=final)


@pytest.fixture(scope="module")
def pool(task: Task) -> Iterator[WorkerPool]:
    """Two workers for all tests: each start costs seconds."""
    previous = signal.signal(signal.SIGTERM, _terminate)
    with cluster(None, 4, 1.0):
        made = WorkerPool(task, PoolSettings(workers=2), TOLD.append, Shutdown(0.0))
        all_free(made)
        yield made
        made.close()
    assert not ray.is_initialized()
    signal.signal(signal.SIGTERM, previous)


def _terminate(signum, frame):
    raise AssertionError


def all_free(pool):
    """Wait until all workers are ready and idle."""
    while len(pool._free) < len(pool._slots):
        assert pool.wait(1.0) == {}


def renew(pool, worker):
    """Another process in the place of a worker that a test has spoiled."""
    pool._free.remove(worker)
    pool._replace(worker)
    all_free(pool)


def outcome(pool, key):
    while True:
        found = pool.wait(1.0)
        if found:
            assert list(found) == [key]
            return found[key]


def ask(pool, worker, question):
    return ray.get(pool._slots[worker].actor.__ray_call__.remote(question))


def process(pool, worker):
    return ask(pool, worker, lambda actor: os.getpid())


def test_the_data_lie_in_the_object_store_once(pool):
    assert isinstance(pool._task, ray.ObjectRef)

    def flags(actor):
        images = actor._task.dataset.train.images
        return images.flags.owndata, images.flags.writeable, images.nbytes

    # A view of read-only shared memory in each of two processes, not a copy of one's own.
    assert [ask(pool, worker, flags) for worker in (0, 1)] == [(False, False, 256 * 64)] * 2
    assert len({process(pool, worker) for worker in (0, 1)} | {os.getpid()}) == 3


def test_a_study_of_real_trials(pool, task):
    """What the workers say is what the same candidate gets in this process."""
    study = optuna.create_study(direction="maximize")
    budget = flops_budget(0.5 * cost("tiny").cost(WHOLE).flops, "0.5")
    Driver(study, space("tiny"), budget, DriverSettings(0, "tpe", 4, True)).run(pool, SilentListener())
    found = records(study)
    assert [record.state for record in found] == ["complete"] * 4
    assert {record.conditions.precision for record in found} == {"float32"}
    assert all(record.cost.flops <= budget.limits[0].most and record.seconds > 0 for record in found)
    made = apply_parameters(model("tiny"), found[0].parameters, pruning=PRUNING)
    here = AccuracyProxy(task.dataset, PROXY)(made)
    assert found[0].accuracy == pytest.approx(here.accuracy, abs=0.05)
    assert found[0].loss == pytest.approx(here.loss, rel=1e-2)


def test_a_trial_that_goes_on_is_a_trial_of_that_many_steps(pool):
    parameters = CompressionParameters({"conv2": 0.5, "add": 0.25}, {"block.conv1": (4, 6)})
    worker, before = pool._free[0], pool._slots[pool._free[0]].served
    first = pool.submit(parameters)
    short = outcome(pool, first)
    key = pool.go_on(first, 5)
    assert [running.slot for running in pool._running.values()] == [worker]
    with pytest.raises(RunError, match="a candidate that a free worker still holds"):
        pool.go_on(first, 5)
    middle = outcome(pool, key)
    long = outcome(pool, pool.go_on(key, 9))
    assert pool._slots[worker].served == before + 1
    assert short.error is middle.error is long.error is None
    assert len({short.loss, middle.loss, long.loss}) == 3

    def of_steps(steps):
        def change(actor):
            actor._task = replace(actor._task, proxy=replace(actor._task.proxy, steps=steps))

        ask(pool, worker, change)
        pool._free.sort(key=lambda free: free != worker)
        return outcome(pool, pool.submit(parameters))

    for steps, climbed in ((5, middle), (9, long), (PROXY.steps, short)):
        whole = of_steps(steps)
        assert (whole.accuracy, whole.loss) == (climbed.accuracy, climbed.loss)


def test_a_worker_that_was_given_something_else_cannot_go_on(pool):
    first = pool.submit(WHOLE)
    outcome(pool, first)
    others = {pool.submit(WHOLE) for _ in pool._slots}
    with pytest.raises(RunError, match="go on before anything else is started"):
        pool.go_on(first, 5)
    while others:
        others -= set(pool.wait(1.0))
    worker = pool._free[0]
    ask(pool, worker, lambda actor: actor.fine_tune(WHOLE))
    said = ask(pool, worker, lambda actor: actor.go_on(5))
    assert said.error == "expected a candidate to go on with, received none; judge one first"


def test_a_study_of_real_rungs(pool):
    study = optuna.create_study(direction="maximize")
    ladder = Ladder((PROXY.steps, 4), 2)
    Driver(study, space("tiny"), HALF, DriverSettings(0, "random", 12, True, ladder=ladder)).run(pool, SilentListener())
    found = records(study)
    assert {record.state for record in found} == {"complete", "stopped"}
    assert {record.state: record.steps for record in found} == {"complete": 4, "stopped": 2}
    assert all(record.error is None for record in found)


def test_a_late_rung_is_given_up(pool, monkeypatch):
    first = pool.submit(WHOLE)
    outcome(pool, first)
    worker = pool._free[-1]
    ask(pool, worker, lambda actor: setattr(actor, "_further", lambda _: __import__("time").sleep(60)))
    monkeypatch.setattr(pool, "_settings", replace(pool._settings, timeout=1.0))
    failed = outcome(pool, pool.go_on(first, 5))
    assert failed.error == "it ran longer than search.trial_timeout = 1 s"


def test_finalists_go_through_the_recipe_with_its_training(pool, task):
    recommended = outcome(pool, pool.submit_finalist(None))
    assert recommended.error is None
    chosen = recommended.parameters
    assert cost("tiny").cost(chosen).flops <= HALF.limits[0].most
    again = outcome(pool, pool.submit_finalist(chosen))
    assert again.parameters == chosen

    def train_stage(compressed, stage):
        train(compressed, task.dataset, RECIPE)

    here = compress_in_stages(model("tiny"), own_values(chosen), fine_tune=train_stage, pruning=PRUNING)
    expected = score(here.model, task.dataset.validation, task.dataset.normalization, PROXY.batch_size)
    for found in (recommended, again):
        assert found.accuracy == pytest.approx(expected.accuracy, abs=0.05)
        assert found.loss == pytest.approx(expected.loss, rel=1e-2)


def test_an_error_in_a_worker_is_recorded_and_the_worker_goes_on(pool):
    before = process(pool, pool._free[0])
    failed = outcome(pool, pool.submit(CompressionParameters({"conv9": 0.5}, {})))
    assert failed.accuracy is failed.loss is None
    assert "unknown layer or group 'conv9'; nearest: 'conv2'" in failed.error
    assert "\n" not in failed.error
    worker = pool._free[0]
    ask(pool, worker, lambda actor: setattr(actor, "_short", None))
    failed = outcome(pool, pool.submit(WHOLE))
    assert failed.error == "TypeError: 'NoneType' object is not callable"
    assert before in {process(pool, either) for either in (0, 1)}
    renew(pool, worker)


def test_training_that_diverges_is_recorded_and_the_worker_goes_on(pool):
    worker = pool._free[0]
    before = process(pool, worker)

    def diverging(actor):
        actor._proxy.settings = replace(actor._proxy.settings, learning_rate=1e30)
        recipe = replace(actor._task.final.recipe, learning_rate=1e30)
        actor._task = replace(actor._task, final=replace(actor._task.final, recipe=recipe))

    ask(pool, worker, diverging)
    failed = outcome(pool, pool.submit(WHOLE))
    assert failed.accuracy is failed.loss is None
    assert "expected finite" in failed.error and failed.error.endswith("1e+30; lower the learning rate")
    pool._free.sort(key=lambda free: free != worker)
    failed = outcome(pool, pool.submit_finalist(CompressionParameters({"add": 0.5}, {})))
    assert "expected a finite" in failed.error and "\n" not in failed.error
    assert process(pool, worker) == before
    renew(pool, worker)


def test_a_metric_of_keras_is_measured_by_the_workers(pool, task):
    metric = Metric("F1Score", "maximize", "one_hot", {"average": "macro"})
    worker = pool._free[0]

    def by_f1(actor):
        actor._task = replace(actor._task, proxy=replace(actor._task.proxy, metric=metric))
        actor._proxy.settings = actor._task.proxy

    ask(pool, worker, by_f1)
    judged = outcome(pool, pool.submit(WHOLE))
    here = AccuracyProxy(task.dataset, replace(PROXY, metric=metric))(apply_parameters(model("tiny"), WHOLE))
    assert judged.error is None and judged.value == pytest.approx(here.value, abs=0.05)
    pool._free.sort(key=lambda free: free != worker)
    final = outcome(pool, pool.submit_finalist(CompressionParameters({"add": 0.5}, {})))
    assert final.error is None and 0 <= final.value <= 1
    renew(pool, worker)


class Killer:
    """Kills the worker of the second trial while it is judging, and of as many trials after it as it is told."""

    def __init__(self, pool, kills):
        self.pool, self.kills, self.submitted = pool, kills, 0

    @property
    def has_room(self):
        # One at a time, for the killed to be the one that was meant.
        return self.pool.has_room and not self.pool._running and not self.pool._waiting

    def submit(self, parameters):
        self.submitted += 1
        key = self.pool.submit(parameters)
        self._kill()
        return key

    def wait(self, seconds):
        found = self.pool.wait(seconds)
        self._kill()
        return found

    def _kill(self):
        if self.submitted == 2 and self.kills and self.pool._running:
            self.kills -= 1
            time.sleep(0.2)
            (running,) = self.pool._running.values()
            os.kill(self.pool._slots[running.slot].pid, signal.SIGKILL)


def searched(pool, kills):
    all_free(pool)
    for slot, _ in enumerate(pool._slots):
        pool._slots[slot].pid = process(pool, slot)
    study = optuna.create_study(direction="maximize")
    Driver(study, space("tiny"), HALF, DriverSettings(1, "random", 4, True)).run(Killer(pool, kills), SilentListener())
    all_free(pool)
    return records(study)


def test_the_trial_of_a_killed_worker_is_started_again(pool):
    undisturbed = searched(pool, kills=0)
    TOLD.clear()
    found = searched(pool, kills=1)
    assert [(one.number, one.parameters, one.accuracy, one.loss) for one in found] == [
        (one.number, one.parameters, one.accuracy, one.loss) for one in undisturbed
    ]
    assert [len(one.lost) for one in found] == [0, 1, 0, 0]
    assert found[1].lost[0].endswith("(ActorDiedError)") and "\n" not in found[1].lost[0]
    assert TOLD == [f"a worker was lost: {found[1].lost[0]}; its work is started again"]
    assert found[1].worker.partition(":")[2] in {str(process(pool, worker)) for worker in (0, 1)}


def test_a_trial_whose_workers_die_again_and_again_fails(pool):
    found = searched(pool, kills=2)
    assert [record.state for record in found] == ["complete", "failed", "complete", "complete"]
    assert found[1].error.startswith("its worker was lost: ") and found[1].error.endswith("(ActorDiedError)")
    assert len(found[1].lost) == 1
    assert "\n" not in found[1].error
    assert found[1].parameters.ratios


def test_a_lost_rung_is_climbed_again_from_the_start(pool):
    """The steps before are taken anew: the figures are those of the candidate that was not disturbed."""
    parameters = CompressionParameters({"conv2": 0.5, "add": 0.25}, {"block.conv1": (4, 6)})
    all_free(pool)
    first = pool.submit(parameters)
    outcome(pool, first)
    undisturbed = outcome(pool, pool.go_on(first, 9))
    second = pool.submit(parameters)
    outcome(pool, second)
    victim = process(pool, next(index for index in pool._free if pool._slots[index].judged.key == second))
    key = pool.go_on(second, 9)
    os.kill(victim, signal.SIGKILL)
    again = outcome(pool, key)
    assert (again.accuracy, again.loss) == (undisturbed.accuracy, undisturbed.loss)
    assert len(again.lost) == 1 and not again.worker.endswith(f":{victim}")
    all_free(pool)


def test_workers_that_never_start_end_the_search(pool, task):
    """What breaks every worker while it loads is the run's fault, not that of a machine."""
    told, broken = [], replace(task, model=b"no model")
    small = WorkerPool(broken, PoolSettings(1, SMALL), told.append, Shutdown(0.0))
    with pytest.raises(RunError, match="expected workers that start, received 3 in a row that did not: "):
        while True:
            assert small.wait(1.0) == {}
    # On a slow machine it is also told that no worker is ready.
    assert sum(line.startswith("a worker did not start: ") for line in told) == 2
    small.close()


def test_a_cluster_without_room_is_told(pool, task, monkeypatch):
    monkeypatch.setattr("search.pool._PATIENCE_SECONDS", 0.5)
    told = []
    large = WorkerPool(task, PoolSettings(1, Share(cpus=3.0)), told.append, Shutdown(0.0))
    for _ in range(3):
        assert large.wait(0.4) == {}
    assert told == ["no worker is ready after 0.5 s; waiting for the cluster to have room for 3 CPUs and 0 GPUs"]
    large.close()


def test_the_pool_grows_with_the_cluster(pool, task):
    all_free(pool)
    told, rooms = [], [1]
    small = WorkerPool(task, PoolSettings(1, SMALL), told.append, Shutdown(0.0), lambda: rooms[-1])
    all_free(small)
    for expected in (1, 2, 2):
        rooms.append(expected)
        small._looked = -1e9
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


def test_a_shutdown_lets_running_trials_finish(pool, task):
    shutdown = Shutdown(600.0)
    with shutdown.working():
        small = WorkerPool(task, PoolSettings(1, SMALL), TOLD.append, shutdown)
        all_free(small)
        key = small.submit(WHOLE)
        shutdown.request()
        assert outcome(small, key).error is None
        assert not small.has_room
        with pytest.raises(KeyboardInterrupt):
            small.wait(1.0)
    small.close()


def test_a_shutdown_waits_no_longer_than_its_grace(pool, task):
    shutdown = Shutdown(0.0)
    with shutdown.working():
        small = WorkerPool(task, PoolSettings(1, SMALL), TOLD.append, shutdown)
        all_free(small)
        ask(small, 0, lambda actor: setattr(actor, "_short", lambda *_: __import__("time").sleep(60)))
        small.submit(WHOLE)
        shutdown.request()
        time.sleep(0.01)
        with pytest.raises(KeyboardInterrupt):
            small.wait(1.0)
    small.close()


def test_a_late_trial_is_given_up(pool, monkeypatch):
    worker = pool._free[0]
    before = process(pool, worker)
    ask(pool, worker, lambda actor: setattr(actor, "_short", lambda *_: __import__("time").sleep(60)))
    monkeypatch.setattr(pool, "_settings", replace(pool._settings, timeout=1.0))
    failed = outcome(pool, pool.submit(WHOLE))
    assert failed.error == "it ran longer than search.trial_timeout = 1 s"
    assert 1 < failed.seconds < 10
    monkeypatch.undo()
    assert process(pool, worker) != before
    assert outcome(pool, pool.submit(WHOLE)).error is None


def test_an_old_worker_is_replaced(pool, monkeypatch):
    worker = pool._free[0]
    before = process(pool, worker)
    monkeypatch.setattr(pool, "_settings", replace(pool._settings, trials_per_worker=pool._slots[worker].served))
    assert outcome(pool, pool.submit(WHOLE)).error is None
    assert process(pool, worker) != before
    assert pool._slots[worker].served == 1


def test_ray_exports_what_a_search_counts(pool, task):
    study, metrics = optuna.create_study(direction="maximize"), RayMetrics("mine")
    driver = Driver(study, space("tiny"), HALF, DriverSettings(1, "random", 3, True))
    driver.run(pool, metrics)
    best = max(trial.value for trial in study.trials)
    (node,) = ray.nodes()
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    deadline, found = time.monotonic() + 60, ""
    while f"ray_{TRIALS}" not in found and time.monotonic() < deadline:
        time.sleep(1)
        with urllib.request.urlopen(address) as page:
            found = page.read().decode()
    values = {
        line.rpartition("{")[0] or line.split()[0]: float(line.split()[-1])
        for line in found.splitlines()
        if "mine" in line
    }
    assert values[f"ray_{BEST}"] == pytest.approx(best)
    assert values[f"ray_{TRIALS}_total"] == 3


def test_ray_leaves_sigterm_to_the_caller(pool):
    """It would exit at once, without the message that tells how to resume."""
    assert signal.getsignal(signal.SIGTERM) is _terminate


def test_a_connected_process_stays_connected(pool):
    with cluster("nowhere:1", "max", 1.0):
        assert ray.is_initialized()
    assert ray.is_initialized()
