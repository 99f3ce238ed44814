"""`compress` killed in both of its trainings, and what else is said and kept while a user waits."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from compress.model_files.files import load_model
from configs.load import load_config
from objectives.network.distillation import Distillation
from objectives.score.fine_tuning import FineTuning
from search import settings
from search.pipeline.compression import compress_own, read_own
from search.pipeline.resumable_training import ResumableTraining
from search.runs.run_folder import RunFolder
from tests.search.fixtures.forked import Forked
from tests.search.fixtures.runs import PATIENCE, command, config, environment, written
from zoo.data.dataset import Normalization
from zoo.training.precision import PrecisionName
from zoo.training.training import TrainingResult, TrainingSettings

FINETUNE = {
    **{"epochs": 3, "batch_size": 64, "learning_rate": 0.05},
    "schedule": {"name": "plateau", "options": {"patience": 1, "factor": 0.5}},
    **{"augment": {"padding": 1, "flip": True}, "distillation": {"temperature": 3.0}},
}


def _net() -> keras.Model:
    """A model that draws, moves statistics, and has something to prune and something to decompose."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, name="a")(inputs)))
    x = layers.ReLU()(layers.Conv2D(12, 3, name="b")(x))
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(10, "softmax", name="head")(x), name="net")


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    _net().save(tmp_path / "net.keras")
    (tmp_path / "own.txt").write_text("'a' : 0.5\n'b' : [3, 4]\n")
    return tmp_path


def _killed(home: Path, written: Path, line: str, behind: str) -> list[str]:
    """What a compression says until it is killed at such a line behind another one."""
    code = command("compress", home / "net.keras", "--params", home / "own.txt", "--config", written)
    said: list[str] = []
    process = Forked(code, home, environment())
    with process.stdout as output:
        for text in output:
            said.append(text.rstrip())
            if line in text and any(behind in earlier for earlier in said):
                process.kill()
    assert process.wait(timeout=PATIENCE) == -9
    return said


def _events(folder: Path) -> dict[tuple[str, str], dict[int, float]]:
    """Every scalar by its training, its name and its epoch; of what is there twice the last."""
    scalars: dict[tuple[str, str], dict[int, float]] = {}
    for path in sorted({file.parent for file in folder.rglob("events.*")}):
        events = EventAccumulator(str(path), size_guidance={"tensors": 0})
        events.Reload()
        for name in events.Tags()["tensors"]:
            if name.startswith("epoch_"):
                series = {event.step: tf.make_ndarray(event.tensor_proto).item() for event in events.Tensors(name)}
                scalars[str(path.relative_to(folder)), name] = series
    return scalars


def test_a_killed_compression_ends_in_the_same_tensors(prepared: Path) -> None:
    sections = {"finetune": FINETUNE, "model": {"path": str(prepared / "net.keras")}, "log_to": ["tensorboard"]}
    path = written(prepared, **sections)
    own = read_own([prepared / "own.txt"]).parameters
    first = _killed(prepared, path, "epoch 2/3", "after pruning")
    assert not any("resuming" in line for line in first)
    folder = prepared / "runs" / "run"
    command = f"tensorboard --logdir {folder / 'tensorboard'}"
    assert any(line.endswith(command) for line in first)
    second = _killed(prepared, path, "epoch 2/3", "after decomposition")
    assert sum("resuming behind epoch" in line for line in second) == 1, second
    assert sorted(file.name for file in (folder / "checkpoints").glob("[!.]*")) == [
        "search-decompose.npz",
        "search-prune.npz",
    ]
    third: list[str] = []
    made = compress_own(prepared / "net.keras", own, load_config(path), third.append)
    resumed = [line for line in third if line.startswith("resuming behind epoch ")]
    assert resumed[0].startswith("resuming behind epoch 3 of 3") and len(resumed) == 2
    assert 1 <= int(resumed[1].split()[3]) <= 2
    assert not (folder / "checkpoints").exists()
    whole: list[str] = []
    other = compress_own(prepared / "net.keras", own, config(prepared, **sections, name="whole"), whole.append)
    expected, resumed = load_model(other.path), load_model(made.path)
    for one, two in zip(resumed.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert replace(made.result, size=0) == replace(other.result, size=0)
    assert [line for line in whole if "epoch 3/3" in line][1] in third
    events = _events(folder / "tensorboard")
    assert events == _events(prepared / "runs" / "whole" / "tensorboard")
    assert {name for _, name in events} == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"}
    assert {run for run, _ in events} == {
        f"search-{stage}/{split}" for stage in ("prune", "decompose") for split in ("train", "validation")
    }
    assert all(sorted(series) == [0, 1, 2] for series in events.values())


class _Tuning:
    """Keeps the checkpoint that it is given."""

    def __init__(self, training: TrainingSettings, epochs: int = 1, distillation: Distillation | None = None) -> None:
        self.training, self.epochs, self.distillation = training, epochs, distillation

    def __repr__(self) -> str:
        return repr(FineTuning(self.training, self.distillation))

    def __call__(self, model, data, original, callbacks, checkpoint):
        self.checkpoint = checkpoint
        return TrainingResult(self.epochs, 0.0, 0.5)


@cache
def _data():
    return settings.dataset(config(Path()))


def _fingerprint(tuning=None, *, name="search-prune", model=None, original=None, data=None, **sections) -> str:
    tuning = tuning or _Tuning(TrainingSettings(epochs=1))
    run = config(Path("nowhere"), **sections)
    training = ResumableTraining(run, RunFolder.of(run), data or _data(), lambda line: None)
    training(name, model or _shared(), tuning, original or _shared())
    return tuning.checkpoint.fingerprint


@cache
def _shared() -> keras.Model:
    return _net()


def _other_weights() -> keras.Model:
    net = keras.models.clone_model(_shared())
    net.set_weights([weight + 1 for weight in net.get_weights()])
    return net


def test_a_checkpoint_is_taken_up_by_the_same_training_alone() -> None:
    """Equal models are equal whatever they were made of; the weights after compression follow from the rest."""
    same = {_fingerprint(), _fingerprint(model=_other_weights()), _fingerprint(search={"trials": 9}, log_to=["mlflow"])}
    assert len(same) == 1
    images = replace(_data(), train=replace(_data().train, images=_data().train.images[::-1].copy()))
    narrow = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    others = [
        _fingerprint(name="simple-prune"),
        _fingerprint(_Tuning(TrainingSettings(epochs=2))),
        _fingerprint(_Tuning(TrainingSettings(epochs=1, early_stopping=3))),
        _fingerprint(_Tuning(TrainingSettings(epochs=1), distillation=Distillation())),
        _fingerprint(model=narrow),
        _fingerprint(original=_other_weights()),
        _fingerprint(data=images),
        _fingerprint(data=replace(_data(), normalization=Normalization(16.0, (0.5,), (1.0,)))),
        _fingerprint(pruning={"step": 4}),
        _fingerprint(recipe=["decompose", "prune"]),
        _fingerprint(seed=1),
    ]
    assert len(same | set(others)) == 1 + len(others)


def test_what_is_said_of_a_foreign_checkpoint_and_of_an_early_end(tmp_path: Path) -> None:
    run = config(tmp_path, log_to=["tensorboard"])
    stale = tmp_path / "runs" / "run" / "tensorboard" / "search-prune" / "train" / "events"
    stale.parent.mkdir(parents=True)
    stale.touch()
    said: list[str] = []
    training = ResumableTraining(run, RunFolder.of(run), _data(), said.append)
    tuning = _Tuning(TrainingSettings(epochs=9, early_stopping=2), epochs=5)
    training("search-prune", _shared(), tuning, _shared())
    board = f"loss, accuracy and learning rate in TensorBoard: tensorboard --logdir {stale.parents[2]}"
    assert said == [board, "stopped early after epoch 5: the last 2 validated no better"]
    assert not stale.exists()
    path = tmp_path / "runs" / "run" / "checkpoints" / "search-prune.npz"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        np.savez(file, meta=np.array('{"fingerprint": "another", "progress": {}}'))
    training("search-prune", _shared(), tuning, _shared())
    assert said[2] == f"'{path}' is of another model, configuration or data: training begins anew"
    path.with_name(".partial-0123abcd-search-prune.npz").write_bytes(b"half a file that a killed process left")
    training.forget("search-prune", "search-decompose")
    assert not path.parent.exists()
    assert os.listdir(tmp_path / "runs" / "run") == ["tensorboard"]


@pytest.mark.parametrize(("precision", "told"), [(None, True), ("mixed_bfloat16", False), ("float32", False)])
def test_a_precision_that_the_machine_chose_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: PrecisionName | None, told: bool
) -> None:
    monkeypatch.setattr("zoo.training.precision.fastest_precision", lambda: "mixed_bfloat16")
    run, said = config(tmp_path), list[str]()
    tuning = _Tuning(TrainingSettings(epochs=5, precision=precision), epochs=5)
    ResumableTraining(run, RunFolder.of(run), _data(), said.append)("search-prune", _shared(), tuning, _shared())
    line = "computes in mixed_bfloat16, which the hardware multiplies (precision: auto)"
    assert said == [line] * told


def test_a_training_computes_as_it_began_wherever_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, said = config(tmp_path), list[str]()
    training = ResumableTraining(run, RunFolder.of(run), _data(), said.append)
    monkeypatch.setattr("zoo.training.precision.fastest_precision", lambda: "mixed_bfloat16")
    tuning = FineTuning(TrainingSettings(epochs=1, batch_size=8, precision=None))
    training("search-prune", _net(), tuning, _shared())
    monkeypatch.setattr("zoo.training.precision.fastest_precision", lambda: "float32")
    training("search-prune", _net(), tuning, _shared())
    assert said[-1:] == ["computes in mixed_bfloat16, as it began"]
