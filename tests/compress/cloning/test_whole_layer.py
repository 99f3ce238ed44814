import keras
import numpy as np
import pytest
from keras import layers

from compress.cloning.layer_copy import copy_layer
from compress.cloning.rebuild import copy_model
from compress.cloning.tracing.traces import keep_whole
from compress.cloning.whole_layer import copy_whole
from compress.errors import ModelError
from compress.graph.analysis import analyse
from compress.model_files.files import load_model, save_model
from compress.parameters import CompressionParameters
from compress.pruning.pruning import remove
from compress.recipe import apply_parameters
from tests.compress.fixtures.models import conv, head, images, outputs, randomized
from tests.compress.fixtures.oracles import assert_equals_masked, assert_same_outputs, kept_labels, zero_filters
from tests.objectives.network.networks import network_of


class Half(layers.Layer):
    """Its configuration forgets `width`, so that another layer is made of it."""

    def __init__(self, width=5, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def get_config(self):
        return {"name": self.name}

    def call(self, x):
        return x[..., : self.width] + x[..., self.width :]


class Composite(layers.Layer):
    """Holds layers in attributes and lists, a weight and a random layer; cannot be made from its configuration."""

    def __init__(self, units):
        super().__init__(name="composite")
        self.inner = layers.Conv2D(units, 1)
        self.parts = [layers.BatchNormalization(), {"last": layers.Conv2D(units, 3, padding="same")}]
        self.drop = layers.Dropout(0.5, seed=3)

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")
        super().build(shape)

    def call(self, x, training=None):
        x = self.parts[0](self.inner(x * self.scale), training=training)
        return self.drop(self.parts[1]["last"](x), training=training)


class HoldsModel(layers.Layer):
    """Holds a functional model with an operation in it."""

    def __init__(self, forgotten):
        super().__init__(name="holds_model")
        inputs = keras.Input((6, 6, 8))
        self.model = keras.Model(inputs, keras.ops.tanh(layers.Conv2D(8, 1)(inputs)))
        self.sequence = keras.Sequential([layers.Conv2D(8, 1), layers.BatchNormalization()])

    def call(self, x):
        return self.sequence(self.model(x))


class HoldsFunction(layers.Layer):
    """Its function reads the layer's own weight."""

    def __init__(self, forgotten):
        super().__init__(name="holds_function")
        scale = self.scale = self.add_weight(shape=(), initializer="ones")
        self.function = lambda x: x * scale

    def call(self, x):
        return self.function(x)


def depth_to_space():
    return layers.Lambda(lambda x: keras.ops.depth_to_space(x, 2), name="whole")


class NoConfig(layers.Layer):
    """Keras cannot tell its configuration: a function is not one of the things that it writes down."""

    def __init__(self, function):
        super().__init__(name="no_config")
        self.function = function

    def call(self, x):
        return self.function(x)


KINDS = [
    pytest.param(kind, id=name)
    for name, kind in {
        "forgets": lambda: Half(4),
        "composite": lambda: Composite(8),
        "holds models": lambda: HoldsModel(1),
        "no configuration": lambda: NoConfig(keras.ops.tanh),
        "lambda": depth_to_space,
    }.items()
]


def around(layer):
    """A network with this layer, which stays one, after two convolutions, of which the first can be pruned."""
    keep_whole(layer, "it is tested as one")
    inputs = keras.Input((6, 6, 3))
    x = conv(conv(inputs, "pruned", 8), "whole_channels", 8)
    return randomized(keras.Model(inputs, head(conv(layer(x), "after", 6))))


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_of_a_layer_that_stays_are_pruned(kind):
    model = around(kind())
    before = outputs(model, images(model))[0]
    graph = analyse(model)
    kept = kept_labels(model, graph, {"pruned": 0.5})
    small = remove(model, graph, kept)
    assert small.get_layer("pruned").filters == 4
    assert_equals_masked(small, model, graph, kept)
    np.testing.assert_array_equal(outputs(model, images(model))[0], before)
    assert_same_outputs(small, zero_filters(model, graph, kept))


@pytest.mark.parametrize("kind", KINDS)
def test_what_stays_is_copied_with_weights_of_its_own(kind):
    model = around(kind())
    copy = apply_parameters(model, CompressionParameters.none())
    assert_same_outputs(copy, model, tolerance=1e-6)
    assert len(copy.trainable_weights) == len(model.trainable_weights)
    assert copy.count_params() == model.count_params()
    assert not {id(weight) for weight in model.weights} & {id(weight) for weight in copy.weights}
    before = [np.array(value) for value in model.get_weights()]
    calls = [len(layer._inbound_nodes) for layer in model.layers]
    copy.compile("sgd", "sparse_categorical_crossentropy")
    copy.fit(images(model), np.zeros(len(images(model))), verbose=0)
    assert [len(layer._inbound_nodes) for layer in model.layers] == calls
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    # Batch normalization undoes a bias: its gradient may be zero.
    for weight, then in zip(copy.weights, before, strict=True):
        assert not weight.trainable or weight.path.endswith("bias") or np.any(np.asarray(weight) != then), weight.path


@pytest.mark.parametrize("kind", KINDS)
def test_layers_beside_a_nested_model_are_kept(kind):
    inputs = keras.Input((6, 6, 3))
    x = keras.Sequential([layers.Conv2D(8, 3, padding="same"), layers.ReLU()])(inputs)
    model = randomized(keras.Model(inputs, head(conv(kind()(x), "after", 6))))
    before = outputs(model, images(model))[0]
    analyse(model)
    np.testing.assert_allclose(outputs(copy_model(model), images(model))[0], before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_for_candidates_takes_them(kind):
    model = around(kind())
    np.testing.assert_allclose(
        network_of(model).infer(images(model)), outputs(model, images(model))[0], rtol=1e-4, atol=1e-5
    )


@keras.saving.register_keras_serializable("tests")
class Shifted(layers.Layer):
    """Survives its configuration."""

    def build(self, shape):
        self.shift = self.add_weight(shape=(shape[-1],), name="shift")

    def call(self, x):
        return x + self.shift


def test_a_result_is_saved_and_loaded(tmp_path):
    small = apply_parameters(around(Shifted(name="shifted")), CompressionParameters({"pruned": 0.5}, {}))
    loaded = load_model(save_model(small, tmp_path / "small.keras"))
    assert_same_outputs(loaded, small, tolerance=1e-6)


def test_another_name():
    copy = copy_whole(around(Half(4, name="half")).get_layer("half"), "other")
    assert copy.name == "other" and copy.width == 4 and not copy._inbound_nodes


def test_lists_of_a_copy_track_layers_of_its_own():
    layer = around(Composite(8)).get_layer("composite")
    copy = copy_whole(layer)
    assert copy.parts[0] is not layer.parts[0] and copy.parts[0] in copy._layers
    assert copy.parts[1]["last"].kernel is copy.parts[1]["last"].trainable_weights[0]
    assert copy.drop.seed_generator.state is not layer.drop.seed_generator.state
    assert [weight.path for weight in copy.weights] == [weight.path for weight in layer.weights]


def test_a_function_that_holds_the_layers_own_weight_is_refused():
    with pytest.raises(ModelError, match=r"^layer 'holds_function' \(HoldsFunction\) cannot be copied: .*'function' h"):
        copy_whole(HoldsFunction(1))


def test_a_layer_that_the_model_calls_elsewhere_is_not_doubled():
    class Reads(layers.Layer):
        def __init__(self, other):
            super().__init__(name="reads")
            self.other = other

        def call(self, x):
            return self.other(x)

    shared = layers.Conv2D(8, 1, name="shared")
    inputs = keras.Input((6, 6, 8))
    reads = Reads(shared)
    keep_whole(reads, "it is tested as one")
    model = keras.Model(inputs, reads(shared(inputs)))
    with pytest.raises(ModelError, match=r"the layer 'shared' in it is called outside of it, too"):
        copy_model(model)


def test_a_lambda_takes_changes_and_keeps_its_options():
    layer = layers.Lambda(lambda x, by: by * x, output_shape=(3,), arguments={"by": 3}, name="triple")
    copy = copy_layer(layer, dtype="float16", name="other")
    assert copy.name == "other" and copy.compute_dtype == "float16" and copy.arguments == {"by": 3}
    assert copy.function is layer.function and copy.arguments is not layer.arguments


def test_models_in_a_copy_are_whole():
    layer = around(HoldsModel(1)).get_layer("holds_model")
    copy = copy_whole(layer)
    assert copy.model.get_config() == layer.model.get_config()
    assert copy.sequence.layers[0].kernel is copy.sequence.weights[0] is not layer.sequence.weights[0]
    remade = keras.Model.from_config(copy.model.get_config())
    remade.set_weights(layer.model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 8)).astype(np.float32)
    np.testing.assert_allclose(remade(x), copy.model(x), rtol=1e-6)
