"""Subclassed models: traced as the graph of what they call, or refused with the reason."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from compress.cloning.walk import as_functional
from compress.errors import ModelError
from compress.graph.analysis import analyse
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from tests.compress.fixtures import models
from tests.compress.fixtures.composites import Classifier
from tests.compress.fixtures.models import conv, images, outputs, randomized
from tests.compress.fixtures.oracles import checked_prune
from tests.compress.graph.test_analysis import groups


def test_a_subclassed_model_is_traced():
    model = Classifier(name="classifier")
    model(np.zeros((2, 8, 8, 3), np.float32))
    randomized(model)
    flat = as_functional(model)
    assert [layer.name for layer in flat.layers if layer.weights][:2] == ["stem", "stage.blocks.0.conv"]
    assert flat.name == "classifier" and flat.input_shape == (None, 8, 8, 3)
    x = images(flat)
    np.testing.assert_allclose(outputs(flat, x)[0], np.asarray(model(x, training=False)), rtol=1e-5, atol=1e-6)
    small = apply_parameters(model, CompressionParameters({"stem": 0.5}, {"stage.blocks.0.conv": (2, 2)}))
    assert small.get_layer("stem").filters == 3 and small.get_layer("stage.blocks.0.conv_tucker_1")


def test_a_subclassed_model_inside_another_is_traced():
    inputs = keras.Input((8, 8, 3))
    graph, _ = checked_prune(keras.Model(inputs, layers.Dense(2)(Classifier(name="inner")(conv(inputs, "a", 3)))))
    assert {"inner.stem", "inner.stage.blocks.0.conv"} <= {layer for group in graph.groups for layer in group.layers}


def test_a_subclassed_model_from_a_file(tmp_path):
    model = keras.saving.register_keras_serializable("composites")(Saved)(name="saved")
    model(np.zeros((1, 8, 8, 3), np.float32))
    model.save(tmp_path / "saved.keras")
    x = images(load_model(tmp_path / "saved.keras"))
    loaded = load_model(tmp_path / "saved.keras")
    np.testing.assert_allclose(outputs(loaded, x)[0], np.asarray(model(x)), rtol=1e-5, atol=1e-6)


class Saved(Classifier):
    def get_config(self):
        return {"name": self.name}


class Undecided(Classifier):
    def call(self, images, training=None):
        return super().call(images, training) if ops.max(images) > 0 else self.head(self.pool(images))


def test_a_subclassed_model_that_cannot_be_traced_says_why():
    with pytest.raises(ModelError, match=r"the subclassed Classifier 'new', .*Keras knows no shape of its inputs.*"):
        as_functional(Classifier(name="new"))
    model = Undecided(name="undecided")
    model(np.ones((2, 8, 8, 3), np.float32))
    with pytest.raises(ModelError, match=r"the subclassed Undecided .*knows no shape of its inputs: .*rebuild it"):
        as_functional(model)
    model._build_shapes_dict = {"input_shape": (2, 8, 8, 3)}
    with pytest.raises(ModelError, match=r"its call does not run on symbolic tensors .*rebuild it"):
        as_functional(model)


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


class FunctionalSubclass(keras.Model):
    """Made from inputs and outputs, with the graph's own call()."""


class OwnCall(FunctionalSubclass):
    def call(self, inputs):
        return 2.0 * super().call(inputs)


def test_a_functional_subclass_is_read_by_its_graph():
    plain = models.chain()
    assert groups(FunctionalSubclass(plain.input, plain.output)) == groups(plain)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Subclassed(name="mine"), "received the subclassed Subclassed 'mine', whose layer graph cannot be read"),
        (OwnCall(*(lambda m: (m.input, m.output))(models.chain())), "received the subclassed OwnCall"),
        (keras.Sequential([layers.Dense(2)], name="bare"), "received Sequential 'bare' without an input shape"),
        (42, "expected a functional or Sequential Keras model, received 42"),
    ],
    ids=["subclassed", "own call", "unbuilt", "no model"],
)
def test_models_that_cannot_be_read(model, message):
    with pytest.raises(ModelError) as caught:
        analyse(model)
    assert message in str(caught.value) and "\n" not in str(caught.value)
