"""Activations whose names stand for other functions in Keras 2 than in Keras 3."""

import keras
import numpy as np
import pytest

from compress.model_files.files import load_model, save_model
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from tests.compress.fixtures.models import images, outputs
from tests.compress.model_files.keras2_edits import edited, refusal


def activated(*names, key="activation"):
    """A change of a file: layers get Keras 2's hard_sigmoid."""

    def change(stored, document, entries):
        for name in names:
            entries[name]["config"][key] = "hard_sigmoid"

    return change


def hard_sigmoid(x):
    """As Keras 2.15 defines it."""
    return np.clip(0.2 * x + 0.5, 0.0, 1.0)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("tf2.8-mobile.h5", "block_conv"),
        ("tf2.8-mobile.h5", "dw"),
        ("tf2.8-mobile.h5", "sep"),
        ("tf2.8-mobile.h5", "linear"),
        ("tf2.8-shared.h5", "act"),
        ("tf2.8-shared.h5", "deconv"),
        ("tf2.8-shared.h5", "twice"),
        ("tf2.8-sequential.h5", "linear"),
    ],
)
def test_hard_sigmoid_is_that_of_keras_2(tmp_path, file, name):
    model = load_model(edited(tmp_path, activated(name.replace("block_", "block/")), file))
    before = model.get_layer(name).output if name != "twice" else model.get_layer(name)._inbound_nodes[0].outputs[0]
    after = model.get_layer(f"{name}.hard_sigmoid")._inbound_nodes[0].outputs[0]
    x = 20 * images(model)
    wanted, got = outputs(keras.Model(model.input, [before, after]), x)
    assert len(model.get_layer(name)._inbound_nodes) == len(model.get_layer(f"{name}.hard_sigmoid")._inbound_nodes)
    np.testing.assert_allclose(got, hard_sigmoid(wanted), atol=1e-6)
    assert np.ptp(got) > 0.1


def test_the_numbers_of_keras_2(tmp_path):
    """At 1 Keras 2 gives 0.7, where Keras 3 gives 2/3; from 2.5 on it gives 1, where Keras 3 does from 3 on."""
    model = load_model(edited(tmp_path, activated("linear"), "tf2.8-sequential.h5"))
    dense = model.get_layer("linear")
    after = keras.Model(dense.output, model.output)
    x = np.array([[-3.0, -2.5, -1.0], [0.0, 1.0, 2.5]], np.float32)
    np.testing.assert_allclose(outputs(after, x)[0], [[0.0, 0.0, 0.3], [0.5, 0.7, 1.0]], atol=1e-6)


def test_models_with_it_are_pruned_and_saved(tmp_path):
    model = load_model(edited(tmp_path, activated("block/conv", "linear")))
    whole = apply_parameters(model, CompressionParameters({}, {}))
    again = load_model(save_model(whole, tmp_path / "again.keras"))
    for made in (whole, again):
        np.testing.assert_allclose(outputs(made, images(model))[0], outputs(model, images(model))[0], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "key", "kind"),
    [("gru", "recurrent_activation", "GRU"), ("gru", "activation", "GRU"), ("simple", "activation", "SimpleRNN")],
)
def test_hard_sigmoid_within_a_layer_is_refused(tmp_path, name, key, kind):
    path = edited(tmp_path, activated(name, key=key), "tf_keras-stateful.h5")
    assert refusal(path) == (
        f"layer '{name}' ({kind}) has {key}='hard_sigmoid', which is another function in Keras 3; rebuild the model "
        "with another"
    )


def test_hard_sigmoid_of_a_wrapped_layer_is_refused(tmp_path):
    def change(stored, document, entries):
        entries["both"]["config"]["layer"]["config"]["recurrent_activation"] = "hard_sigmoid"

    assert "has recurrent_activation='hard_sigmoid'" in refusal(edited(tmp_path, change, "tf_keras-stateful.h5"))
