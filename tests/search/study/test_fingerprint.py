"""A study belongs to one model."""

import keras
import numpy as np
import optuna
import pytest

from compress.cloning.rebuild import copy_model
from compress.errors import RunError
from search.study.identity import check_same_model, model_digest, tie_to_model
from zoo.models.registry import build_model


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
