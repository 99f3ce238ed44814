"""A frozen backbone, as transfer learning leaves it: what pruning changes is trained, unless it is forbidden."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from compress.graph.analysis import analyse
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from configs.schema.run import RunConfig
from search import settings
from search.pipeline.compression import compress_own
from search.strategies.job import trial_task
from search.strategies.preparation import warn_of_frozen
from search.workers.worker import TrialWorker
from tests.search.fixtures.nets import tiny
from tests.search.fixtures.runs import config

HALF = CompressionParameters({"conv2": 0.5}, {})
TRAINING = {"batch_size": 64, "learning_rate": 0.05, "augment": None}


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """The tiny model, of which only the head is trainable."""
    keras.utils.set_random_seed(7)
    model = tiny()
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.save(tmp_path / "tiny.keras")
    return tmp_path


def _config(folder: Path, unfreeze: bool, **changes: Any) -> RunConfig:
    return config(folder, finetune={"epochs": 1, "unfreeze": unfreeze, **TRAINING}, recipe=["prune"], **changes)


@pytest.mark.parametrize("unfreeze", [True, False])
def test_fine_tuning_trains_what_pruning_changed(frozen: Path, unfreeze: bool) -> None:
    lines: list[str] = []
    given = _config(frozen, unfreeze, space={"ranks": False})
    made = compress_own(frozen / "tiny.keras", HALF, given, lines.append)
    backbone = [layer.name for layer in load_model(frozen / "tiny.keras").layers if layer.weights][:-1]
    names = ", ".join(f"'{name}'" for name in backbone[:4])
    says = "will be trained all the same; finetune.unfreeze: false leaves them as they are"
    if not unfreeze:
        says = "will not be trained, which costs accuracy; finetune.unfreeze: true trains them"
    assert lines[0] == f"frozen layers that compression can change (7: {names}, ...) {says}"
    pruned = apply_parameters(load_model(frozen / "tiny.keras"), HALF)
    moved = {
        layer.name
        for layer, other in zip(pruned.layers, load_model(made.path).layers, strict=True)
        if layer.weights and not np.array_equal(layer.get_weights()[0], other.get_weights()[0])
    }
    assert moved == ({layer.name for layer in pruned.layers if layer.weights} if unfreeze else {"linear"})
    # 160 + 2,320 + 2,320 of 16 channels, 3 x 32 of their norms, 1,740 and 130 around the 12 channels that are left.
    assert made.result.params == 160 + 2 * 2320 + 96 + 1740 + 130


@pytest.mark.parametrize("unfreeze", [True, False])
def test_trials_train_what_pruning_can_change(frozen: Path, monkeypatch: pytest.MonkeyPatch, unfreeze: bool) -> None:
    monkeypatch.setattr("search.workers.worker.use_threads", lambda count: None)
    given = _config(frozen, unfreeze, space={"ranks": False})
    data = settings.dataset(given)
    metric = settings.metric(given.search.metric, data.task)
    model = load_model(frozen / "tiny.keras")
    worker = TrialWorker(trial_task(given, model, data, settings.pruning(given, data), metric))
    assert worker.judge(HALF).error is None
    assert worker._held is not None
    repaired = apply_parameters(model, HALF)
    worker._held.repair.write_to(repaired)
    kernel = apply_parameters(model, HALF).get_layer("block.conv1").kernel
    assert np.array_equal(repaired.get_layer("block.conv1").kernel, kernel) is not unfreeze
    assert not model.get_layer("conv1").trainable


def test_nothing_is_said_where_nothing_is_frozen(frozen: Path) -> None:
    lines: list[str] = []
    warn_of_frozen(_config(frozen, True, space={"ranks": False}), tiny(), analyse(tiny()), lines.append)
    assert lines == []


def test_both_stages_train_what_either_can_change(frozen: Path) -> None:
    """So that the model between the stages is what finalists and `compress` train after the first one."""
    given = _config(frozen, True, space={"ranks": False})
    data = settings.dataset(given)
    both = given.model_copy(update={"recipe": ("prune", "decompose")})
    metric = settings.metric(given.search.metric, data.task)
    task = trial_task(both, load_model(frozen / "tiny.keras"), data, settings.pruning(both, data), metric)
    assert task.unfreeze == both.recipe == replace(task, recipe=both.recipe[:1]).unfreeze
