"""Files of Keras 2 that are damaged or changed by hand: refused in one line, or read as what they say."""

import base64
import marshal

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ModelError
from compress.model_files.files import load_model
from compress.model_files.keras2_config import make_layer
from tests.compress.fixtures.models import outputs
from tests.compress.model_files.keras2_edits import DATA, ERAS, edited, refusal


def drop_weights(stored, document, entries):
    stored["model_weights"].attrs["layer_names"] = [
        name for name in stored["model_weights"].attrs["layer_names"] if name != "dw"
    ]


def reshape_weights(stored, document, entries):
    del stored["model_weights/dw/dw/depthwise_kernel:0"]
    stored["model_weights/dw/dw"].create_dataset("depthwise_kernel:0", data=np.zeros((3, 3, 4, 2), np.float32))


def swap_weights(stored, document, entries):
    names = stored["model_weights/bn1"].attrs["weight_names"]
    stored["model_weights/bn1"].attrs["weight_names"] = [names[1], names[0], *names[2:]]


def point_elsewhere(stored, document, entries):
    del stored["model_weights/dw"]
    stored["model_weights/dw"] = h5py.ExternalLink("other.h5", "/model_weights/dw")


def lose_the_group(stored, document, entries):
    del stored["model_weights"]


def config(name, **changes):
    def change(stored, document, entries):
        entries[name]["config"].update(changes)

    return change


def entry(name, **changes):
    def change(stored, document, entries):
        entries[name].update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_weights, "it holds no weights of layer 'dw'; save the model again"),
        (
            reshape_weights,
            "layer 'dw': expected the weights [('kernel', (3, 3, 4, 1))], received [('kernel', (3, 3, 4, 2))]",
        ),
        (swap_weights, "layer 'bn1': expected the weights [('gamma', (4,)), ('beta', (4,)), "),
        (point_elsewhere, "it does not itself hold 'dw'; save the model again"),
        (lose_the_group, "it holds no architecture, only weights; save the whole model"),
        (config("dw", groups=2), "layer 'dw' (DepthwiseConv2D) has groups=2, which Keras 3 does not have"),
        (config("bn1", renorm=True), "layer 'bn1' (BatchNormalization) has renorm=True, which Keras 3 does not have"),
        (config("relu6", magic=1), "layer 'relu6' (ReLU) cannot be made by Keras 3: "),
        (config("linear", activation={"class_name": "X"}), "layer 'linear' (Dense) has activation={'class_name': 'X'}"),
        (config("input", ragged=True), "layer 'input' (InputLayer): expected a dense input with a shape"),
        (config("input", batch_input_shape=None), "layer 'input' (InputLayer): expected a dense input with a shape"),
        (entry("add", class_name="Homemade"), "layer 'add' (Homemade) is of a class that Keras 3 does not have"),
        (entry("add", class_name="RandomCrop"), "layer 'add' (RandomCrop) crops all images in Keras 2, and in Keras 3"),
        (entry("add", class_name="TFSMLayer"), "layer 'add' (TFSMLayer) holds program code, which is not executed"),
        (
            entry("add", class_name="StringLookup"),
            "layer 'add' (StringLookup) may name another file, which is not read",
        ),
        (
            config(
                "linear", kernel_regularizer={"class_name": "L2", "config": {"l2": {"class_name": "X", "config": {}}}}
            ),
            "layer 'linear' (Dense) has kernel_regularizer={'class_name': 'L2', 'config': {'l2': {",
        ),
        (
            config("linear", kernel_regularizer={"class_name": "__lambda__", "config": {"value": "x"}}),
            "layer 'linear' (Dense) cannot be made by Keras 3: ",
        ),
        (entry("add", class_name="Dense"), "layer 'add' (Dense) cannot be made by Keras 3: "),
        (entry("add", inbound_nodes=[[["gone", 0, 0, {}]]]), "received a damaged one: KeyError: 'gone'"),
        (entry("add", inbound_nodes=[[["add", 0, 0, {}]]]), "layer 'add': expected inputs from layers of the model"),
        (entry("add", inbound_nodes=[{"a": ["sep", 0, 0]}]), "expected lists of tensors, received a dictionary"),
        (entry("add", inbound_nodes=[[["sep", 0, 0, {"mask": 1}]]]), "expected no arguments of calls but training"),
        (entry("sep", inbound_nodes=[[["gap", 0, 0, {}]]]), "layer '"),
        (lambda stored, document, entries: {**document, "class_name": "Mine"}, "received the subclassed Mine"),
        (
            lambda stored, document, entries: {"class_name": "Model", "config": {}},
            "received a damaged one: KeyError: 'layers'",
        ),
        (lambda stored, document, entries: [], "list indices must be integers"),
    ],
)
def test_refusals(tmp_path, change, message):
    assert message in refusal(edited(tmp_path, change))


@pytest.mark.parametrize("kind", ["DepthwiseConv", "SeparableConv"])
@pytest.mark.parametrize("rank", [1, 2])
def test_what_convolutions_inherit_and_never_use_is_dropped(kind, rank):
    own = {"filters": 4} if kind == "SeparableConv" else {"filters": None}
    inherited = {"groups": 1, "kernel_regularizer": None, "kernel_constraint": None}
    layer = make_layer(f"{kind}{rank}D", {"kernel_size": [3] * rank, **own, **inherited}, "conv")
    assert layer.name == "conv" and layer.kernel_size == (3,) * rank
    with pytest.raises(ModelError, match="groups=2, which Keras 3 does not have"):
        make_layer(f"{kind}{rank}D", {"kernel_size": [3] * rank, **own, **inherited, "groups": 2}, "conv")


@pytest.mark.parametrize("cut", [0, 100, 20_000])
def test_damaged_files(tmp_path, cut):
    path = tmp_path / "model.h5"
    path.write_bytes((DATA / "tf2.3-mobile.h5").read_bytes()[:cut])
    refusal(path)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("name", "changes"),
    [("conv", {}), ("tf.math.truediv", {"function": "math.pow"}), ("RealDiv", {"node_def": {"op": "Pow"}})],
)
def test_operations_without_a_layer_are_named(tmp_path, era, name, changes):
    def change(stored, document, entries):
        if name in entries:
            entries[name]["config"].update(changes)

    path = edited(tmp_path, change, f"{era}-operations.h5")
    if changes and (era == "tf2.8") == name.startswith("tf."):
        assert "no Keras layer computes the TensorFlow operation '" in refusal(path)
    else:
        load_model(path)


def test_old_names_and_forms(tmp_path):
    """What other versions of Keras 2 wrote: renamed classes, policies, axes in lists, a list of layers."""

    def change(stored, document, entries):
        entries["bn"]["class_name"] = "BatchNormalizationV1"
        entries["bn"]["config"].update(renorm=False, virtual_batch_size=None, fused=True, axis=[3])
        entries["conv1"]["config"]["dtype"] = {"class_name": "Policy", "config": {"name": "float32"}}
        return {"class_name": "Sequential", "config": document["config"]["layers"][1:]}

    model = load_model(edited(tmp_path, change, "tf2.3-sequential.h5"))
    expected = np.load(DATA / "tf2.3-expected.npz")
    np.testing.assert_allclose(outputs(model, expected["sequential_x"])[0], expected["sequential_y0"], atol=1e-5)


def test_names_that_keras_split(tmp_path):
    def change(stored, document, entries):
        group = stored["model_weights"]
        names = list(group.attrs["layer_names"])
        del group.attrs["layer_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:3], names[3:]

    whole, split = load_model(DATA / "tf2.8-mobile.h5"), load_model(edited(tmp_path, change))
    for weight, expected in zip(split.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_registered_layers_are_made(tmp_path):
    class Homemade(layers.Add):
        made = []

        def __init__(self, **options):
            super().__init__(**options)
            self.made.append(self.name)

    path = edited(tmp_path, entry("add", class_name="Homemade"))
    with keras.saving.custom_object_scope({"Homemade": Homemade}):
        load_model(path)
    assert "add" in Homemade.made


def test_code_of_keras_2_is_not_executed(tmp_path):
    marker = tmp_path / "executed"
    code = marshal.dumps(compile(f"open({str(marker)!r}, 'w')", "x", "exec"))
    path = edited(
        tmp_path,
        entry("add", class_name="Lambda", config={"name": "add", "function": [base64.b64encode(code).decode()]}),
    )
    assert "layer 'add' (Lambda) holds program code, which is not executed" in refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_code_of_keras_3_is_not_executed(tmp_path, suffix):
    marker = tmp_path / "executed"
    location = str(marker)

    def mark(x):
        with open(location, "w", encoding="utf-8"):
            return x

    inputs = keras.Input((3,))
    path = tmp_path / f"model{suffix}"
    keras.Model(inputs, layers.Lambda(lambda x: mark(x))(inputs)).save(path)
    marker.unlink()
    refusal(path)
    assert not marker.exists()
