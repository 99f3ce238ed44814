"""What the tests of the pool share: its task, and how they talk to its workers."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

import ray

from compress.parameters import CompressionParameters
from compress.pruning.criteria.geometric_median import GeometricMedian
from compress.pruning.settings import PruningSettings
from objectives.score.fine_tuning import FineTuning
from objectives.score.proxy import ProxySettings
from search import settings
from search.study.judgement import Judgement
from search.workers.cluster import Share
from search.workers.worker import FinalTask, Task, model_bytes
from tests.search.fixtures.nets import PRUNE_FIRST, cost, flops_budget, model
from tests.search.fixtures.runs import config
from zoo.tasks.metric import Score
from zoo.training.training import TrainingSettings

PROXY = ProxySettings(recalibration_images=64, steps=2, batch_size=32)
PRUNING = PruningSettings(GeometricMedian(), "standard_score")
WHOLE = CompressionParameters.none()
TRAINING = TrainingSettings(epochs=1, learning_rate=0.01, batch_size=64)
FLOPS = cost("tiny").cost(WHOLE).flops
TOLD: list[str] = []
SMALL = Share(cpus=0.001)
HALF = flops_budget(0.5 * FLOPS, "0.5")


def terminate(signum, frame):
    """A handler of SIGTERM that nobody may take away."""
    raise AssertionError


def pool_task() -> Task:
    data = settings.dataset(config(Path()))
    final = FinalTask(FineTuning(TRAINING), HALF)
    return Task(model_bytes(model("tiny")), data, PROXY, PRUNE_FIRST, PRUNING, threads=1, final=final)


def use_light_workers(monkeypatch, broken=False, held=None):
    """Let pools have workers that load nothing and judge at once, or that break while they start.

    held: a file; while it is there they do not end.
    """

    class Worker:
        def __init__(self, task):
            if broken:
                raise ValueError("no model")
            self.task = task

        def take(self, task, warm_up):
            self.task = task

        def ready(self):
            pass

        def judge(self, parameters):
            while held is not None and held.exists():
                time.sleep(0.02)
            return Judgement(Score({"accuracy": 1.0, "loss": 0.0}), 0.0)

    monkeypatch.setattr("search.workers.pool.TrialWorker", Worker)


def all_free(pool):
    """Wait until all workers are ready and idle."""
    while len(pool._free) < len(pool._slots):
        assert pool.wait(1.0) == {}


@contextmanager
def changed(pool, worker, change):
    """A worker that a test changes; afterwards it is what it was, which takes less than another process."""

    def keep_and_change(actor):
        actor.kept = dict(vars(actor)), actor._proxy.settings
        change(actor)

    def restore(actor):
        values, settings = actor.kept
        vars(actor).clear()
        vars(actor).update(values)
        actor._proxy.settings = settings

    ask(pool, worker, keep_and_change)
    yield
    ask(pool, worker, restore)


def outcome(pool, key):
    while True:
        result = pool.wait(1.0)
        if result:
            assert list(result) == [key]
            return result[key]


def outcomes(pool, keys):
    judgements = {}
    while not keys <= set(judgements):
        judgements |= pool.wait(1.0)
    return judgements


def ask(pool, worker, question):
    return ray.get(pool._slots[worker].actor.__ray_call__.remote(question))


def process(pool, worker):
    return ask(pool, worker, lambda actor: os.getpid())
