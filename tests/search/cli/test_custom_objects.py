"""Layers of the user's own, by the module that defines them."""

import json
import sys

import keras
import pytest

from compress.errors import ModelError
from compress.model_files.files import load_model
from tests.search.fixtures.runs import called, refused, written

_MODULE = """
import keras

import compress

@compress.rule
@keras.saving.register_keras_serializable("tests_custom_objects")
class Registered(keras.layers.Layer):
    def call(self, x):
        return keras.ops.tanh(x)

@compress.rule(weights={"scale": ("out",)})
class Offered(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale

class Dense(keras.layers.Dense):
    pass
"""


@pytest.fixture
def forget():
    """Has Keras and Python forget the module; called again, it does so once more."""

    def forgotten():
        sys.modules.pop("custom_objects_module", None)
        known = keras.saving.get_custom_objects()
        for name in [name for name in known if name.split(">")[-1] in ("Registered", "Offered")]:
            del known[name]

    forgotten()
    yield forgotten
    forgotten()


@pytest.fixture
def own(home, monkeypatch, forget):
    """A model file with layers of a module in the working directory, which nothing has imported."""
    (home / "custom_objects_module.py").write_text(_MODULE)
    monkeypatch.chdir(home)
    monkeypatch.syspath_prepend(str(home))
    module = __import__("custom_objects_module")
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, name="first")(inputs)
    x = module.Offered(name="offered")(keras.layers.Conv2D(4, 3, name="second")(x))
    x = module.Registered(name="registered")(keras.layers.Conv2D(4, 3, name="third")(x))
    x = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(x))
    path = home / "own.keras"
    keras.Model(inputs, x).save(path)
    monkeypatch.undo()
    monkeypatch.chdir(home)
    forget()
    return path


def test_a_class_that_is_not_known_is_named(tuckprune, home, own):
    error = refused(tuckprune, home, "inspect", own)
    assert "cannot be read: Keras does not know its class 'Offered'; if it is your own, name the module" in error
    assert "--custom-objects MODULE, or model.custom_objects" in error


def test_a_module_that_cannot_be_imported_is_named(tuckprune, home, own):
    error = refused(tuckprune, home, "inspect", own, "--custom-objects", "no_such_module")
    assert "received 'no_such_module': ModuleNotFoundError: No module named 'no_such_module'" in error


def test_inspect(tuckprune, own):
    code, out, _ = tuckprune("inspect", own, "--json", "--custom-objects", "custom_objects_module")
    assert code == 0
    assert [group["name"] for group in json.loads(out)["groups"]] == ["first", "second", "third"]
    assert keras.saving.get_registered_object("Dense") is None


def test_recommend_and_compress(tuckprune, home, own, forget):
    options = ("--custom-objects", "custom_objects_module")
    code, _, err = tuckprune("recommend", own, "--ratio", "0.5", "--out", home / "values", *options)
    assert code == 0, err
    forget()
    values = ("--params", home / "values" / "parameters.json")
    code, _, err = tuckprune("compress", own, *values, "--out", home / "small.keras", *options)
    assert code == 0, err
    forget()
    with pytest.raises(ModelError, match="does not know its class 'Offered'"):
        load_model(home / "small.keras")
    small = load_model(home / "small.keras", "custom_objects_module")
    assert small.get_layer("first").filters < 4
    assert small.get_layer("offered").scale.shape == (small.get_layer("second").filters,) < (4,)


def test_the_configuration_names_it(tuckprune, home, own):
    config = written(home, model={"path": str(own), "custom_objects": "custom_objects_module"})
    code, out, err = tuckprune("recommend", own, "--config", config, "--json")
    assert code == 0, err
    assert json.loads(out)


def test_ship(home, own):
    config = written(home)
    options = ("--config", config, "--format", "keras", "--custom-objects", "custom_objects_module")
    ended = called("ship", own, *options, cwd=home)
    assert ended.returncode == 0, ended.stderr
    assert list((home / "runs" / "run" / "exports").glob("*.keras"))


def test_workers_import_it(home, own):
    """Ray is told of the folder when it starts: the driver has one of its own."""
    model = {"path": str(own), "custom_objects": "custom_objects_module"}
    config = written(home, model=model, search={"trials": 1, "workers": 1, "sensitivity": False})
    ended = called("search", config, cwd=home)
    assert ended.returncode == 0, ended.stderr
    assert "[1/1] trial 0: accuracy " in ended.stdout
