"""The worker, in this process."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from compress.parameters import CompressionParameters
from compress.pruning.settings import DEFAULT_PRUNING
from compress.recipe import used_values
from objectives.score.fine_tuning import FineTuning
from objectives.score.proxy import ProxySettings, ScoreProxy
from search.workers.worker import FinalTask, Middle, Task, TrialWorker, model_bytes, model_of
from tests.search.fixtures.nets import DECOMPOSE_FIRST, PRUNE_FIRST, model, trained_like
from tests.search.workers.pools import HALF
from zoo.data.load import load_dataset
from zoo.training.training import TrainingSettings

PROXY = ProxySettings(recalibration_images=32, steps=1, batch_size=32)


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda count: None)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", lambda count: None)
    data = load_dataset("digits", validation=0.1, seed=0)
    return Task(model_bytes(model("tiny")), data, PROXY, ("prune",), DEFAULT_PRUNING, 1)


@pytest.mark.parametrize("has_teacher", [False, True])
def test_candidates_learn_from_the_teacher_or_else_from_their_own_model(monkeypatch, task, has_teacher):
    taught = []

    class Proxy(ScoreProxy):
        def __init__(self, dataset, settings, original):
            taught.append(original)
            super().__init__(dataset, settings, original)

    monkeypatch.setattr("search.workers.worker.ScoreProxy", Proxy)
    TrialWorker(replace(task, teacher=model_bytes(trained_like())) if has_teacher else task)
    (result,) = taught
    for weight, expected in zip(
        result.weights, (trained_like() if has_teacher else model("tiny")).weights, strict=True
    ):
        np.testing.assert_array_equal(weight, expected)


def test_probes_are_recalibrated_and_nothing_else(task):
    worker, parameters = TrialWorker(task), CompressionParameters({"add": 0.5}, {})
    result = worker.probe(parameters)
    without_steps = TrialWorker(replace(task, proxy=replace(PROXY, steps=0))).judge(parameters)
    assert result.error is None
    assert result.score == without_steps.score
    assert result.score != worker.judge(parameters).score


def test_a_warm_worker_traces_nothing_more_and_judges_the_same(task):
    parameters = CompressionParameters({"add": 0.5}, {})
    cold, warm = TrialWorker(task), TrialWorker(task)
    assert warm.warm_up() > 0
    network = warm._proxy._shared

    def traces():
        return [
            function.experimental_get_tracing_count() for function in (network.step, network._observe, network.infer)
        ]

    assert traces() == [1, 1, 1]
    assert warm.judge(parameters).score == cold.judge(parameters).score
    assert traces() == [1, 1, 1]


def test_what_breaks_while_a_worker_warms_up_is_told_by_its_trials(task, monkeypatch):
    worker = TrialWorker(task)
    monkeypatch.setattr(worker, "_repair_and_score", None)
    worker.warm_up()
    assert worker.judge(CompressionParameters.none()).error == "TypeError: 'NoneType' object is not callable"


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST], ids="-".join)
def test_finalists_go_on_from_the_model_between_the_stages_and_become_the_same(monkeypatch, task, recipe):
    """But those that begin otherwise, and recommended values; a training here makes every weight a little larger."""
    trained: list[int] = []

    def tuned(tuning, model, dataset, original):
        trained.append(1)
        model.set_weights([1.01 * weight for weight in model.get_weights()])

    monkeypatch.setattr(FineTuning, "__call__", tuned)
    final = FinalTask(FineTuning(TrainingSettings(epochs=1, learning_rate=0.01)), HALF)
    task = replace(task, recipe=recipe, final=final)
    chosen = CompressionParameters({"add": 0.5}, {"conv2": (5, 6)})
    first, second = (used_values(chosen, [stage]) for stage in recipe)
    other = CompressionParameters({"add": 0.25}, {"conv2": (4, 6)})
    middle = TrialWorker(replace(task, recipe=recipe[:1])).fine_tune(first)
    assert middle.error is None and middle.parameters == first
    whole = TrialWorker(task)
    worker = TrialWorker(replace(task, final=replace(final, middle=Middle(first, middle.model))))
    for parameters, trainings in ((chosen, 1), (first, 1), (second, 2), (other, 2), (None, 2)):
        trained.clear()
        made = worker.fine_tune(parameters)
        assert made.error is None and len(trained) == trainings
        expected = whole.fine_tune(parameters)
        assert (made.score, made.parameters) == (expected.score, expected.parameters)
        weights = zip(model_of(made.model).weights, model_of(expected.model).weights, strict=True)
        assert all(np.array_equal(*pair) for pair in weights)
