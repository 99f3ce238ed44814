"""Pruning across normalization through the commands: it happens where it is asked for, and is named as not exact."""

import json

import keras
import pytest
from keras import layers

from compress.model_files.files import load_model
from tests.search.fixtures.runs import refused, unwrapped, written

LINE = "not exact: normalized across channels, over those that stay: 'norm'"


@pytest.fixture
def normed(home):
    """A trained model, so to speak, that holds a layer normalization."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 1))
    x = layers.LayerNormalization(name="norm")(layers.Conv2D(8, 3, strides=2, name="first")(inputs))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 1, activation="relu", name="second")(x))
    keras.Model(inputs, layers.Dense(10, activation="softmax", name="linear")(x)).save(home / "normed.keras")
    return home / "normed.keras"


def test_commands_without_a_configuration(tuckprune, home, normed):
    code, out, err = tuckprune("inspect", normed, "--json", "--across-normalization")
    assert (code, LINE in unwrapped(err)) == (0, True)
    shown = json.loads(out)
    assert ([group["name"] for group in shown["groups"]], shown["not_exact"]) == (["first", "second"], ["norm"])
    values = home / "values"
    code, out, err = tuckprune("recommend", normed, "--ratio", "0.5", "--out", values, "--across-normalization")
    assert (code, LINE in unwrapped(out)) == (0, True), err
    compress = ("compress", normed, "--params", values / "parameters.json", "--out", home / "small.keras")
    assert "there is no group 'first' here" in refused(tuckprune, home, *compress)
    code, out, err = tuckprune(*compress, "--across-normalization")
    assert (code, LINE in unwrapped(out)) == (0, True), err
    small = load_model(home / "small.keras")
    assert small.get_layer("norm").gamma.shape == (small.get_layer("first").filters,) < (8,)


def test_a_configuration_has_a_key_for_it(tuckprune, home, normed):
    config = written(home, model={"path": str(normed)})
    code, _, err = tuckprune("recommend", normed, "--config", config, "--across-normalization")
    assert (code, "set pruning.across_normalization there" in unwrapped(err)) == (2, True)


def test_a_search_and_its_report(tuckprune, home, normed, local_pool):
    config = written(
        home,
        model={"path": str(normed)},
        budget={"flops": "40%"},
        pruning={"across_normalization": True},
        recipe=["prune"],
        space={"ranks": False},
        finetune={"epochs": 1, "batch_size": 64, "augment": None},
        finals={"candidates": 1, "epochs": 1},
        search={"trials": 2, "workers": 1, "sensitivity": False},
    )
    code, out, err = tuckprune("search", config)
    assert (code, LINE in unwrapped(out + err)) == (0, True), err
    run = home / "runs" / "run"
    assert tuckprune("export", run)[0] == 0
    code, out, err = tuckprune("compress", normed, "--params", run / "parameters.json", "--config", config)
    assert (code, LINE in unwrapped(out)) == (0, True), err
    assert load_model(run / "search.keras").get_layer("first").filters < 8
    code, _, err = tuckprune("report", run)
    assert (code, f"Pruning is {LINE}." in (run / "report.html").read_text().replace("&#39;", "'")) == (0, True), err
