"""Which kernels a command that trains chooses, before TensorFlow is loaded."""

import os
from types import SimpleNamespace

import keras
import pytest

from configs.schema.training import TrainingConfig
from search.cli import kernels
from search.environment import ONEDNN


@pytest.fixture
def choose(monkeypatch, tmp_path):
    """The choice in a process without TensorFlow: the variable afterwards, and the lines."""
    monkeypatch.setenv(ONEDNN, "false")
    monkeypatch.setattr(kernels, "sys", SimpleNamespace(modules={}))

    def chosen(layer=None, augment=()):
        path = None
        if layer is not None:
            path = tmp_path / "model.keras"
            keras.Sequential([keras.Input((4,)), layer]).save(path)
        lines = []
        training = TrainingConfig.model_validate({"augment": {"layers": list(augment)}})
        kernels.choose_kernels(lines.append, training, path)
        return os.environ[ONEDNN], lines

    return chosen


def test_models_of_the_zoo_and_others_that_are_known_have_onednn(choose):
    assert choose() == ("true", ["on a CPU: with oneDNN"])
    assert choose(keras.layers.Dense(2))[0] == "true"


def test_a_layer_that_is_not_known_is_named(choose):
    variable, (line,) = choose(keras.layers.LayerNormalization(name="norm"))
    assert variable == "false"
    assert "because of the layer 'norm' (LayerNormalization)" in line and f"{ONEDNN}=1 turns it on" in line


def test_so_is_an_augmentation_that_multiplies_matrices(choose):
    assert choose(augment=["RandomFlip"])[0] == "true"
    os.environ[ONEDNN] = "false"
    assert "the augmentation RandomPerspective" in choose(augment=["RandomPerspective"])[1][0]


def test_the_user_s_choice_and_a_tensorflow_that_is_loaded_stay(choose, monkeypatch):
    monkeypatch.setenv(ONEDNN, "0")
    assert choose() == ("0", [])
    monkeypatch.setenv(ONEDNN, "false")
    monkeypatch.setattr(kernels, "sys", SimpleNamespace(modules={"tensorflow": keras}))
    assert choose() == ("false", [])


def test_of_a_file_that_is_missing_nothing_is_said(choose, tmp_path):
    lines = []
    kernels.choose_kernels(lines.append, TrainingConfig(), tmp_path / "missing.keras")
    assert (os.environ[ONEDNN], lines) == ("false", [])
