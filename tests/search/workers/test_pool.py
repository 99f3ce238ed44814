"""Workers on a real local Ray cluster."""

import os
import time
import urllib.request
from dataclasses import replace

import optuna
import psutil
import pytest
import ray

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters, compress_in_stages, own_values
from objectives.cost.cost_model import CostModel
from objectives.score.proxy import ScoreProxy
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.driver.listeners.ray_metrics import BEST, TRIALS, RayMetrics
from search.driver.rungs import Ladder
from search.study.trial_record import records
from search.workers.cluster import cluster
from search.workers.worker import model_of
from tests.search.fixtures.nets import cost, flops_budget, model, space
from tests.search.fixtures.runs import PATIENCE
from tests.search.workers.pools import (
    HALF,
    PROXY,
    PRUNING,
    TRAINING,
    WHOLE,
    ask,
    changed,
    outcome,
    outcomes,
    process,
    terminate,
)
from zoo.tasks.metric import Metric
from zoo.training.evaluation import evaluate
from zoo.training.training import train


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
    Driver(study, space("tiny"), budget, DriverSettings(0, "tpe", 4, True)).run(pool, Listener())
    result = records(study)
    assert [record.state for record in result] == ["complete"] * 4
    assert {record.conditions.precision for record in result} == {"float32"}
    assert all(record.cost.flops <= budget.limits[0].most and record.seconds > 0 for record in result)
    made = apply_parameters(model("tiny"), result[0].parameters, pruning=PRUNING)
    here = ScoreProxy(task.dataset, PROXY)(made)
    assert result[0].score.figures["accuracy"] == pytest.approx(here.score.figures["accuracy"], abs=0.05)
    assert result[0].score.loss == pytest.approx(here.score.loss, rel=1e-2)


def test_a_trial_that_goes_on_is_a_trial_of_that_many_steps(pool):
    parameters = CompressionParameters({"conv2": 0.5, "add": 0.25}, {"block.conv1": (4, 6)})
    worker, before = pool._free[0], pool._slots[pool._free[0]].served
    short = outcome(pool, pool.submit(parameters))
    key = pool.go_on(parameters, 5)
    assert [running.slot for running in pool._running.values()] == [worker]
    middle = outcome(pool, key)
    long = outcome(pool, pool.go_on(parameters, 9))
    assert pool._slots[worker].served == before + 1
    assert short.error is middle.error is long.error is None
    assert len({short.score.loss, middle.score.loss, long.score.loss}) == 3

    def of_steps(steps):
        def change(actor):
            actor._task = replace(actor._task, proxy=replace(actor._task.proxy, steps=steps))

        ask(pool, worker, change)
        pool._free.sort(key=lambda free: free != worker)
        return outcome(pool, pool.submit(parameters))

    for steps, climbed in ((5, middle), (9, long), (PROXY.steps, short)):
        whole = of_steps(steps)
        assert whole.score == climbed.score


def test_a_candidate_that_no_free_worker_holds_takes_all_its_steps(pool):
    """Whether a worker holds another candidate, none after a finalist, the same at a later rung, or none is free."""
    parameters = CompressionParameters({"conv2": 0.5, "add": 0.25}, {})
    outcome(pool, pool.submit(parameters))
    expected = outcome(pool, pool.go_on(parameters, 5))
    assert outcome(pool, pool.go_on(parameters, 5)).score == expected.score
    for before in (lambda: pool.submit(WHOLE), lambda: pool.submit_finalist(WHOLE)):
        outcomes(pool, {before() for _ in pool._slots})
        assert outcome(pool, pool.go_on(parameters, 5)).score == expected.score
    others = {pool.submit(WHOLE) for _ in pool._slots}
    key = pool.go_on(parameters, 5)
    assert outcomes(pool, others | {key})[key].score == expected.score


def test_a_study_of_real_rungs(pool):
    study = optuna.create_study(direction="maximize")
    ladder = Ladder((PROXY.steps, 4), 2)
    Driver(study, space("tiny"), HALF, DriverSettings(0, "random", 12, True, ladder=ladder)).run(pool, Listener())
    result = records(study)
    assert {record.state for record in result} == {"complete", "stopped"}
    assert {record.state: record.steps for record in result} == {"complete": 4, "stopped": 2}
    assert all(record.error is None for record in result)


def test_a_late_rung_is_given_up(pool, monkeypatch):
    # A candidate of this test alone: another worker may hold the whole model since a test before.
    own = CompressionParameters({"conv2": 0.25}, {})
    outcome(pool, pool.submit(own))
    worker = pool._free[-1]
    ask(pool, worker, lambda actor: setattr(actor, "_score_after", lambda *_: __import__("time").sleep(60)))
    monkeypatch.setattr(pool, "_settings", replace(pool._settings, timeout=1.0))
    failed = outcome(pool, pool.go_on(own, 5))
    assert failed.error == "it ran longer than search.trial_timeout = 1 s"


def test_finalists_go_through_the_recipe_with_its_training(pool, task):
    recommended = outcome(pool, pool.submit_finalist(None))
    assert recommended.error is None
    chosen = recommended.parameters
    assert cost("tiny").cost(chosen).flops <= HALF.limits[0].most

    def train_stage(compressed, stage):
        train(compressed, task.dataset, TRAINING)

    here = compress_in_stages(model("tiny"), own_values(chosen), fine_tune=train_stage, pruning=PRUNING)
    expected = evaluate(here.model, task.dataset, task.dataset.validation)
    assert recommended.score.figures["accuracy"] == pytest.approx(expected.figures["accuracy"], abs=0.05)
    assert recommended.score.loss == pytest.approx(expected.loss, rel=1e-2)


def test_a_finalist_comes_with_its_model(pool, task):
    chosen = CompressionParameters({"add": 0.5}, {})
    made = outcome(pool, pool.submit_finalist(chosen))
    assert made.parameters == chosen
    built = model_of(made.model)
    assert CostModel(analyse(built)).cost(CompressionParameters.none()) == cost("tiny").cost(chosen)
    here = evaluate(built, task.dataset, task.dataset.validation)
    assert dict(made.score.figures) == pytest.approx(dict(here.figures), rel=1e-4)


def test_an_error_in_a_worker_is_recorded_and_the_worker_goes_on(pool):
    before = process(pool, pool._free[0])
    failed = outcome(pool, pool.submit(CompressionParameters({"conv9": 0.5}, {})))
    assert failed.score is None
    assert "unknown layer or group 'conv9'; nearest: 'conv2'" in failed.error
    assert "\n" not in failed.error
    with changed(pool, pool._free[0], lambda actor: setattr(actor, "_repair_and_score", None)):
        failed = outcome(pool, pool.submit(WHOLE))
    assert failed.error == "TypeError: 'NoneType' object is not callable"
    assert before in {process(pool, either) for either in (0, 1)}


def test_training_that_diverges_is_recorded_and_the_worker_goes_on(pool):
    worker = pool._free[0]
    before = process(pool, worker)

    def diverging(actor):
        actor._proxy.settings = replace(actor._proxy.settings, learning_rate=1e30)
        final = actor._task.final
        tuning = replace(final.tuning, training=replace(final.tuning.training, learning_rate=1e30))
        actor._task = replace(actor._task, final=replace(final, tuning=tuning))

    with changed(pool, worker, diverging):
        failed = outcome(pool, pool.submit(WHOLE))
        assert failed.score is None
        assert "expected finite" in failed.error and failed.error.endswith("1e+30; lower the learning rate")
        pool._free.sort(key=lambda free: free != worker)
        failed = outcome(pool, pool.submit_finalist(CompressionParameters({"add": 0.5}, {})))
        assert "expected a finite" in failed.error and "\n" not in failed.error
    assert process(pool, worker) == before
    pool._free.sort(key=lambda free: free != worker)
    assert outcome(pool, pool.submit(WHOLE)).error is None


def test_a_metric_of_keras_is_measured_by_the_workers(pool, task):
    metric = Metric("F1Score", "maximize", "one_hot", {"average": "macro"})
    worker = pool._free[0]

    def by_f1(actor):
        actor._task = replace(actor._task, proxy=replace(actor._task.proxy, metric=metric))
        actor._proxy.settings = actor._task.proxy

    with changed(pool, worker, by_f1):
        judged = outcome(pool, pool.submit(WHOLE))
        pool._free.sort(key=lambda free: free != worker)
        final = outcome(pool, pool.submit_finalist(CompressionParameters({"add": 0.5}, {})))
    here = ScoreProxy(task.dataset, replace(PROXY, metric=metric))(apply_parameters(model("tiny"), WHOLE))
    assert judged.error is None and judged.score.figure(metric) == pytest.approx(here.score.figure(metric), abs=0.05)
    assert final.error is None and 0 <= final.score.figure(metric) <= 1
    assert final.parameters == CompressionParameters({"add": 0.5}, {})


def test_ray_exports_what_a_search_counts(pool, task):
    study, metrics = optuna.create_study(direction="maximize"), RayMetrics("mine")
    driver = Driver(study, space("tiny"), HALF, DriverSettings(1, "random", 3, True))
    driver.run(pool, metrics)
    best = max(trial.value for trial in study.trials)
    (node,) = ray.nodes()
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    expected = {f"ray_{BEST}": pytest.approx(best), f"ray_{TRIALS}_total": 3}
    deadline, values = time.monotonic() + PATIENCE, {}
    # What changes is exported every few seconds, a part of it perhaps before the rest.
    while values != expected and time.monotonic() < deadline:
        time.sleep(1)
        with urllib.request.urlopen(address) as page:
            lines = [line for line in page.read().decode().splitlines() if "mine" in line]
        result = {line.rpartition("{")[0] or line.split()[0]: float(line.split()[-1]) for line in lines}
        values = {name: value for name, value in result.items() if name in expected}
    assert values == expected


def test_ray_leaves_sigterm_to_the_caller(ray_cluster):
    """It would exit at once, without the message that tells how to resume."""
    assert ray_cluster is terminate


def test_a_connected_process_stays_connected(ray_cluster):
    with cluster("nowhere:1", "max", 1.0):
        assert ray.is_initialized()
    assert ray.is_initialized()


def test_workers_stand_back_as_far_as_asked(pool):
    """Ray's own niceness would be 15."""
    assert ask(pool, 0, lambda actor: os.nice(0)) == os.nice(0) + 1


def test_nothing_listens_but_on_this_machine(pool):
    """The driver, what Ray has started for it, and the workers."""
    driver = psutil.Process()
    listening = {
        (process.name(), connection.laddr.ip)
        for process in (driver, *driver.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {name for name, _ in listening} >= {"gcs_server", "raylet"}
    assert {ip.removeprefix("::ffff:") for _, ip in listening} <= {"127.0.0.1", "::1"}, listening


def test_ray_starts_no_process_that_nobody_asks(pool):
    commands = [process.cmdline() for process in psutil.Process().children(recursive=True)]
    started = {os.path.basename(word) for command in commands for word in command}
    assert "raylet" in started
    assert not started & {"monitor.py", "log_monitor.py", "dashboard.py"}
