"""Which models are trained with oneDNN: by what Keras says of their layers, in memory or in a file."""

import keras
import pytest

from compress.model_files.stored_config import stored_config
from search.environment import ONEDNN
from search.workers.onednn import untrusted, worker_environment
from zoo.models.registry import CLASSIFIERS, build_model


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch):
    monkeypatch.setenv(ONEDNN, "false")


def entry(output, inputs):
    return keras.saving.serialize_keras_object(keras.Model(inputs, output))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_zoo_s_models_are_computed_right(name):
    model = keras.saving.serialize_keras_object(build_model(name))
    assert untrusted(model) is None and worker_environment(model) == {ONEDNN: "1"}


def test_known_statistics_of_the_images_are_computed_right():
    inputs = keras.Input((8, 8, 3))
    assert untrusted(entry(keras.layers.Normalization()(keras.layers.Rescaling(0.5)(inputs)), inputs)) is None


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Dense(3, name="wrong"),
        keras.layers.LayerNormalization(name="wrong"),
        keras.layers.GroupNormalization(2, name="wrong"),
        keras.layers.SeparableConv2D(3, 1, strides=2, name="wrong"),
        keras.layers.Conv2D(4, 1, groups=2, name="wrong"),
        keras.layers.Conv2D(4, 1, activation=keras.layers.LayerNormalization(), name="wrong"),
        keras.layers.BatchNormalization(axis=1, name="wrong"),
        keras.layers.TimeDistributed(keras.layers.Dense(3), name="wrong"),
    ],
)
def test_other_layers_leave_it_off(layer):
    inputs = keras.Input((8, 8, 4))
    model = entry(layer(inputs), inputs)
    assert untrusted(model) == f"'wrong' ({type(layer).__name__})" and worker_environment(model) == {}
    inside = keras.Input((8, 8, 4))
    assert untrusted(entry(keras.Model(inputs, layer(inputs))(inside), inside)) == untrusted(model)


def test_so_do_operations():
    inputs = keras.Input((8, 8))
    product = keras.ops.matmul(inputs, inputs)
    # Keras numbers operations by what the process has made before.
    name = keras.Model(inputs, product).operations[-1].name
    assert untrusted(entry(product, inputs)) == f"'{name}' (Matmul)"


def test_a_dense_layer_that_is_called_again_is_looked_at_again():
    vectors, matrices, layer = keras.Input((4,)), keras.Input((3, 4)), keras.layers.Dense(2, name="both")
    assert untrusted(entry(layer(vectors), [vectors])) is None
    assert untrusted(entry([layer(vectors), layer(matrices)], [vectors, matrices])) == "'both' (Dense)"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_says_the_same_of_its_layers(tmp_path, suffix):
    inputs = keras.Input((8, 8, 4))
    hidden = keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Conv2D(4, 3)(inputs)))
    wrong = keras.layers.LayerNormalization(name="wrong")(hidden)
    for number, (output, expected) in enumerate([(hidden, None), (wrong, "'wrong' (LayerNormalization)")]):
        path = tmp_path / f"{number}{suffix}"
        keras.Model(inputs, output).save(path)
        assert untrusted(stored_config(path)) == expected


@pytest.mark.parametrize("content", [None, b"text", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_cannot_be_read_says_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "model.keras").write_bytes(content)
    assert stored_config(tmp_path / "model.keras") is None


@pytest.mark.parametrize("chosen", ["0", "1"])
def test_what_the_user_has_chosen_stays(monkeypatch, chosen):
    monkeypatch.setenv(ONEDNN, chosen)
    assert worker_environment(keras.saving.serialize_keras_object(build_model("digits_resnet"))) == {}
