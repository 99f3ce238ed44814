"""A study belongs to one model, and to the images that its trials were judged on."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import optuna
import pytest
import tensorflow as tf

from compress.cloning.rebuild import copy_model
from compress.errors import RunError
from compress.model_files.compiled import CompiledModel
from objectives.fitting.compiled import CompiledTraining
from search.pipeline.search import run_search
from search.study.identity import check_same_model, model_digest, tie_to_data, tie_to_model, warn_of_changed_code
from search.study.storage import find_study
from tests.objectives.fitting.two_outputs import Given, arrays, saved
from tests.search.fixtures.runs import config
from tests.zoo.data.files.layouts import written
from zoo.data.dataset import Split
from zoo.data.load import load_dataset
from zoo.models.registry import build_model
from zoo.tasks.own_class import BuiltIn
from zoo.tasks.own_task import OwnTask


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return build_model("digits_resnet")


def test_copies_are_equal_and_one_weight_makes_the_difference(model, tmp_path):
    copy = copy_model(model)
    copy.save(tmp_path / "copy.keras")
    assert model_digest(keras.models.load_model(tmp_path / "copy.keras")) == model_digest(model)
    kernel = copy.get_layer("conv1").kernel
    kernel.assign(kernel + np.eye(16, dtype=np.float32)[15] * 1e-3)
    assert model_digest(copy) != model_digest(model)


def test_a_study_refuses_another_model(model):
    study = optuna.create_study(study_name="digits")
    check_same_model(study, model)
    assert study.user_attrs == {}
    tie_to_model(study, model)
    tie_to_model(study, copy_model(model))
    check_same_model(study, copy_model(model))
    for check in (check_same_model, tie_to_model):
        with pytest.raises(RunError, match="the study 'digits' was started with another model"):
            check(study, build_model("digits_resnet", classes=4))


def digits(path: Path, seed: int, tests: int = 0) -> None:
    """Arrays of noise in the form of the digits; every class has twenty images."""
    labels, draws = np.arange(200) % 10, (np.random.default_rng(one) for one in (seed, 100 + seed, tests))
    train, _, test = (one.integers(0, 17, (200, 8, 8, 1), np.uint8) for one in draws)
    np.savez(path, x_train=train, y_train=labels, x_test=test, y_test=labels)


def test_a_search_that_goes_on_refuses_other_images(home, monkeypatch):
    monkeypatch.setattr("search.pipeline.search.run_joint", lambda *given: None)
    monkeypatch.setattr("search.pipeline.search.outcome_of", lambda *given: None)
    given = config(home, data={"source": str(home / "mine.npz")})
    digits(home / "mine.npz", seed=0)
    run_search(given)
    digits(home / "mine.npz", seed=0, tests=5)  # No trial sees test images.
    run_search(given)
    before = find_study(home / "runs" / "run", "run").user_attrs
    digits(home / "mine.npz", seed=1)
    with pytest.raises(RunError, match="the study 'run' was started with other training or validation data .* restore"):
        run_search(given)
    assert find_study(home / "runs" / "run", "run").user_attrs == before


def test_a_study_knows_its_training_and_validation_images(tmp_path):
    digits(tmp_path / "mine.npz", seed=0)
    data, study = load_dataset(str(tmp_path / "mine.npz")), optuna.create_study(study_name="mine")
    tie_to_data(study, data)  # As a study of an earlier version, it had none.
    tie_to_data(study, replace(data, test=data.validation))
    for part in ("train", "validation"):
        split = getattr(data, part)
        one_pixel, one_label = split.images.copy(), split.targets.copy()
        one_pixel[-1, -1, -1] += 1
        one_label[-1] = (one_label[-1] + 1) % 10
        for other in (Split(one_pixel, split.targets), Split(split.images, one_label)):
            with pytest.raises(RunError, match="the study 'mine' was started with other .* received .* from 'mine'"):
                tie_to_data(study, replace(data, **{part: other}))


def test_a_changed_module_of_own_classes_is_told_once(tmp_path, monkeypatch):
    file, study, told = tmp_path / "own_classes.py", optuna.create_study(), []
    file.write_text("SCALE = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("own_classes")
    for text, warnings in (("SCALE = 2\n", 0), ("SCALE = 2\n", 0), ("SCALE = 3\n", 1), ("SCALE = 3\n", 1)):
        file.write_text(text)
        warn_of_changed_code(study, "own_classes", told.append)
        assert len(told) == warnings
    assert told[0].startswith("module 'own_classes' has changed since")
    warn_of_changed_code(study, None, told.append)
    assert len(told) == 1


def test_images_in_files_may_be_in_memory_in_the_next_start(tmp_path):
    source, study = str(written(tmp_path)), optuna.create_study(study_name="photos")
    in_files, in_memory = load_dataset(source, in_memory=0), load_dataset(source)
    for data in (in_files, in_memory, in_files, in_memory):
        tie_to_data(study, data)
    path = next((tmp_path / "train" / "a").iterdir())
    path.write_bytes((tmp_path / "train" / "b" / path.name).read_bytes())
    for in_bytes in (0, 1e9):
        with pytest.raises(RunError, match="the study 'photos' was started with other training or validation data"):
            tie_to_data(study, load_dataset(source, in_memory=in_bytes))


class Own:
    """A task of a user's own, which has its data to itself."""

    def fit(self, model, budget):
        raise AssertionError

    def evaluate(self, model, split):
        raise AssertionError


def test_arrays_of_a_compiled_model_are_known_but_no_datasets_and_nothing_of_a_class_of_the_users(tmp_path):
    compiled, study = CompiledModel.read(saved(tmp_path / "net.keras")), optuna.create_study(study_name="arrays")

    def tie(*splits):
        options = {"data": Given(splits), "compiled": compiled, "training": None, "validation": 0.1, "seed": 0}
        tie_to_data(study, OwnTask(BuiltIn("compiled", CompiledTraining), options))

    train, validation = arrays(16, 0), arrays(16, 1)
    other = (train[0], {**train[1], "kind": 1 - train[1]["kind"]}, train[2])
    tie(train, validation, validation)
    tie(train, validation, train)
    for given in ((other, validation), (train, other), (train[:2], validation)):
        with pytest.raises(RunError, match="the study 'arrays' was started with other .* received .* from 'compiled'"):
            tie(*given, validation)
    before = study.user_attrs
    tie(tf.data.Dataset.from_tensor_slices(other).batch(4), validation, validation)
    tie_to_data(study, OwnTask.load(f"{__name__}:Own"))
    assert study.user_attrs == before
