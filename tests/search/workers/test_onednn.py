"""Which models' workers use oneDNN."""

import keras
import pytest

from search.workers.onednn import VARIABLE, worker_environment
from zoo.models.registry import MODEL_NAMES, build_model


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch):
    monkeypatch.setenv(VARIABLE, "false")


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_zoo_s_models_are_computed_right(name):
    assert worker_environment(build_model(name)) == {VARIABLE: "1"}


@pytest.mark.parametrize(
    "layer", [keras.layers.Dense(3), keras.layers.LayerNormalization(), keras.layers.SeparableConv2D(3, 1, strides=2)]
)
def test_other_layers_leave_it_off(layer):
    inputs = keras.Input((8, 8, 4))
    assert worker_environment(keras.Model(inputs, layer(inputs))) == {}


def test_so_do_operations():
    inputs = keras.Input((8, 8))
    assert worker_environment(keras.Model(inputs, keras.ops.matmul(inputs, inputs))) == {}


@pytest.mark.parametrize("chosen", ["0", "1"])
def test_what_the_user_has_chosen_stays(monkeypatch, chosen):
    monkeypatch.setenv(VARIABLE, chosen)
    assert worker_environment(build_model("digits_resnet")) == {}
