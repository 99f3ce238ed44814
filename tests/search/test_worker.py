"""The worker, in this process."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from compress.pruning_settings import DEFAULT_PRUNING
from objectives.accuracy import AccuracyProxy, ProxySettings
from search.worker import Task, TrialWorker, model_bytes
from tests.search.nets import model, trained_like
from zoo.data.load import load_dataset

PROXY = ProxySettings(recalibration_images=32, steps=1, batch_size=32)


@pytest.mark.parametrize("has_teacher", [False, True])
def test_candidates_learn_from_the_teacher_or_else_from_their_own_model(monkeypatch, has_teacher):
    taught = []

    class Proxy(AccuracyProxy):
        def __init__(self, dataset, settings, original):
            taught.append(original)
            super().__init__(dataset, settings, original)

    monkeypatch.setattr("search.worker.AccuracyProxy", Proxy)
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda count: None)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", lambda count: None)
    data = load_dataset("digits", validation=0.1, seed=0)
    task = Task(model_bytes(model("tiny")), data, PROXY, ("prune",), DEFAULT_PRUNING, 1)
    TrialWorker(replace(task, teacher=model_bytes(trained_like())) if has_teacher else task)
    (found,) = taught
    for weight, expected in zip(found.weights, (trained_like() if has_teacher else model("tiny")).weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
