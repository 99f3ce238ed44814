"""A task of the user's own in a worker process: its class arrives with its code."""

import importlib.util
import sys
import threading
from dataclasses import replace

import numpy as np

from compress.errors import TaskError
from compress.parameters import CompressionParameters
from objectives.score.time_limit import limited
from search.workers.worker import TrialWorker
from tests.search.workers.pools import ask
from zoo.tasks.own_task import OwnTask

MODULE = """
import numpy as np
from beside_summed import OFFSET

class Summed:
    def fit(self, model, budget): ...

    def evaluate(self, model, split):
        return {"sum": float(np.sum(model)) + OFFSET}
"""


def test_a_worker_gets_the_class_with_its_code(pool, tmp_path, monkeypatch):
    (tmp_path / "summed_module.py").write_text(MODULE)
    (tmp_path / "beside_summed.py").write_text("OFFSET = 5\n")
    monkeypatch.chdir(tmp_path)
    task = OwnTask.load("summed_module:Summed")
    known, figures = ask(
        pool,
        0,
        lambda actor: (
            importlib.util.find_spec("summed_module") is not None,
            dict(task.evaluate(np.ones(3), "test").figures),
        ),
    )
    assert not known and figures == {"sum": 8.0}
    for name in ("summed_module", "beside_summed"):
        sys.modules.pop(name)


def test_a_worker_can_give_up_a_training(pool):
    """Only the main thread of a process gets the signal that interrupts it."""

    def hang(actor):
        try:
            with limited(0.1):
                threading.Event().wait(60)
        except TaskError as error:
            return str(error)

    assert ask(pool, 0, hang).startswith("timeout: expected a training that ends within 0.1 s, received one that did n")


def test_a_training_that_ends_the_process_fails_a_trial(task, monkeypatch):
    monkeypatch.setattr("search.workers.worker.use_threads", lambda threads: None)
    worker = TrialWorker(replace(task, dataset=OwnTask.load(f"{__name__}:Exiting")))
    assert worker.warm_up() is None  # It would hang with what hangs in it, without a limit.
    failed = worker.judge(CompressionParameters.none())
    assert failed.error.endswith("to train the model, received SystemExit: 3") and failed.score is None
    assert worker.probe(CompressionParameters.none()).score.figures == {"one": 1.0}
    assert worker.fine_tune(CompressionParameters.none()).error == failed.error


class Exiting:
    def fit(self, model, budget):
        sys.exit(3)

    def evaluate(self, model, split):
        return {"one": 1}
