import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from compress.cloning.layer_copy import copy_layer, copy_weights
from compress.cloning.rebuild import copy_model
from compress.decomposition.tucker import decompose
from compress.errors import ModelError
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from compress.recipe import apply_parameters
from tests.compress.fixtures.models import conv, head, images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs, checked_prune


def test_learned_statistics_are_copied():
    adapted = layers.Normalization(name="adapted")
    adapted.adapt(np.random.default_rng(0).normal(3.0, 2.0, (50, 4)))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, adapted(inputs))
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_allclose(outputs(copy_model(model), x)[0], outputs(model, x)[0], rtol=1e-6)


def binned(mode, inside):
    """Two convolutions beside bins that were learned, in the model itself or in one inside."""
    bins = layers.Discretization(num_bins=4, output_mode=mode, name="bins")
    bins.adapt(np.random.default_rng(0).normal(size=(100, 1)))
    image, number, inner = keras.Input((4, 4, 3)), keras.Input((1,)), keras.Input((1,))
    codes = keras.Model(inner, bins(inner), name="inner")(number) if inside else bins(number)
    codes = layers.Flatten()(layers.Embedding(4, 3)(codes)) if mode == "int" else codes
    x = head(conv(conv(image, "conv", 8), "conv2", 6))
    return bins, randomized(keras.Model([image, number], [x, layers.Dense(2, name="last")(codes)]))


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "nested"])
@pytest.mark.parametrize("mode", ["int", "one_hot"])
def test_learned_bins_are_kept(mode, inside, tmp_path):
    bins, model = binned(mode, inside)
    x = [images(model, count=9)[0], np.linspace(-2, 2, 9, dtype=np.float32)[:, None]]
    assert set(np.digitize(x[1], bins.bin_boundaries).ravel()) == {0, 1, 2, 3}
    copies = [copy_model(model), prune(model, {"conv": 0.5}), decompose(model, {"conv2": (8, 6)})]
    copies.append(copy_model(copies[1]))
    copies[1].save(tmp_path / "model.keras")
    copies.append(keras.saving.load_model(tmp_path / "model.keras"))
    for copy in copies:
        assert copy.get_layer("bins").bin_boundaries == bins.bin_boundaries
        np.testing.assert_allclose(outputs(copy, x)[1], outputs(model, x)[1], rtol=1e-6)


NUMBERS, WORDS = np.array([[7], [3], [3], [9], [9], [9]]), np.array([["b"], ["a"], ["a"], ["c"], ["c"], ["c"]])
LOOKUPS = {
    "integers": lambda: layers.IntegerLookup(),
    "integers, one hot": lambda: layers.IntegerLookup(output_mode="one_hot", num_oov_indices=2),
    "integers, masked": lambda: layers.IntegerLookup(mask_token=7, num_oov_indices=0),
    "strings": lambda: layers.StringLookup(max_tokens=3),
    "strings, frequencies": lambda: layers.StringLookup(output_mode="tf_idf", pad_to_max_tokens=True, max_tokens=9),
    "text": lambda: layers.TextVectorization(output_mode="int", output_sequence_length=2),
    "text, frequencies": lambda: layers.TextVectorization(output_mode="tf_idf"),
}


def looked_up(kind):
    """A convolution beside a lookup that has learned a vocabulary, and the model's inputs."""
    lookup, learned = LOOKUPS[kind](), NUMBERS if kind.startswith("integers") else WORDS
    lookup.adapt(learned)
    image, item = keras.Input((4, 4, 3)), keras.Input((1,), dtype="int64" if learned is NUMBERS else "string")
    x = [tf.ones((6, 4, 4, 3)), tf.constant(learned)]
    return keras.Model([image, item], [head(conv(image, "conv", 8)), lookup(item)]), x


@pytest.mark.parametrize("kind", LOOKUPS)
def test_learned_vocabularies_are_kept(kind, tmp_path):
    model, x = looked_up(kind)
    wanted = outputs(model, x)[1]
    assert len(np.unique(wanted, axis=0)) > 1
    small = prune(model, {"conv": 0.5})
    copies = [copy_model(model), small, copy_model(small)]
    if kind != "strings, frequencies":  # Keras itself does not load padded frequencies.
        small.save(tmp_path / "model.keras")
        copies.append(keras.saving.load_model(tmp_path / "model.keras"))
    for copy in copies:
        np.testing.assert_allclose(outputs(copy, x)[1], wanted)


@pytest.mark.parametrize("kind", LOOKUPS)
def test_lookups_without_a_vocabulary_are_copied_so(kind):
    if "one hot" not in kind:
        assert not copy_layer(LOOKUPS[kind]()).get_vocabulary(include_special_tokens=False)


def test_given_vocabularies_are_kept():
    layer = layers.StringLookup(vocabulary=["a", "b"])
    assert copy_layer(layer).get_config()["vocabulary"] == ["a", "b"] == copy_layer(layer).get_vocabulary()[1:]


def test_some_weights_are_replaced():
    old, new = layers.Dense(2), layers.Dense(2)
    old.build((None, 3))
    new.build((None, 3))
    copy_weights(old, new, {"bias": np.array([1.0, 2.0])})
    np.testing.assert_array_equal(new.kernel, old.kernel)
    np.testing.assert_array_equal(new.bias, [1, 2])


def test_a_lambda_in_memory_is_copied():
    copy = copy_layer(layers.Lambda(lambda x: 3 * x, name="triple"))
    assert copy.name == "triple" and float(copy(np.float32(2.0))) == 6.0


def test_arrays_as_initializers_do_not_fit_what_is_left():
    rng = np.random.default_rng(0)
    kernel, bias = (keras.initializers.Constant(rng.normal(size=shape)) for shape in ((3, 3, 3, 8), (8,)))
    inputs = keras.Input((6, 6, 3))
    x = conv(inputs, "before", 8, kernel_initializer=kernel, bias_initializer=bias)
    _, small = checked_prune(keras.Model(inputs, head(layers.BatchNormalization(beta_initializer=bias)(x))))
    assert small.get_layer("before").filters < 8


def mine(x):
    return keras.ops.tanh(x) * keras.ops.mean(x, axis=-1, keepdims=True)


def test_layers_with_functions_of_the_user_are_left_whole():
    inputs = keras.Input((6, 6, 4))
    x = conv(conv(inputs, "free", 8, activation=keras.ops.silu), "mine", 8, activation=mine)
    graph, small = checked_prune(keras.Model(inputs, head(layers.Activation(mine)(x))))
    assert [group.name for group in graph.groups] == ["free"]
    assert "the activation mine of 'mine' is not one of Keras's" in graph.excluded[0].reason
    assert small.get_layer("mine").activation is mine
    assert decompose(small, {"mine": (2, 3)}).get_layer("mine_tucker_2").activation is mine


class HardSigmoid(keras.layers.Layer):
    """A layer of the user's as the activation of another; Keras does not find it by its name."""

    def call(self, x):
        return keras.layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)


def test_layers_of_the_user_as_activations_are_kept():
    inputs = keras.Input((6, 6, 4))
    graph, small = checked_prune(keras.Model(inputs, head(conv(inputs, "gate", 8, activation=HardSigmoid()))))
    assert [group.name for group in graph.groups] == ["gate"]
    assert isinstance(small.get_layer("gate").activation, HardSigmoid)


class NoConfig(keras.layers.Layer):
    def __init__(self, factor):
        super().__init__(name="mine")
        self.factor = factor

    def get_config(self):
        return {}


def test_a_layer_without_configuration_is_refused():
    with pytest.raises(ModelError, match=r"^layer 'mine' \(NoConfig\) cannot be copied: .* give it a get_config\(\)"):
        copy_layer(NoConfig(2.0))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_a_layer_that_was_quantized_where_it_stood_keeps_its_weights(mode):
    inputs = keras.Input((8, 8, 3))
    x = conv(conv(inputs, "first", 8), "second", 8)
    x = layers.Dense(16, name="dense")(layers.GlobalAveragePooling2D()(x))
    model = randomized(keras.Model(inputs, x))
    model.quantize(mode)
    small = apply_parameters(model, CompressionParameters({"first": 0.5}, {}))
    kernel, bias = (np.array(weight) for weight in model.get_layer("first").get_weights())
    gone = np.argsort(np.square(kernel).sum((0, 1, 2)))[:4]
    kernel[..., gone], bias[gone] = 0, 0
    model.get_layer("first").set_weights([kernel, bias])
    assert small.get_layer("dense").quantization_mode == mode
    assert_same_outputs(small, model)
