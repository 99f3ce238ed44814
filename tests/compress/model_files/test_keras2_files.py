"""Files of Keras 2: predictions equal those of the TensorFlow that wrote them (scripts/dev/make_keras2_models.py)."""

import base64
import json
import marshal
import shutil
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ModelError
from compress.model_files.files import file_size, load_model, save_model
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from tests.compress.fixtures.models import outputs

DATA = Path(__file__).parents[2] / "data" / "keras2"
ERAS = ("tf2.3", "tf2.8")
MODELS = ("mobile", "shared", "operations", "sequential")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("file", [*(f"{name}.h5" for name in MODELS), "shared"])
def test_predictions_are_the_writers(era, file):
    model = load_model(DATA / f"{era}-{file}")
    expected = np.load(DATA / f"{era}-expected.npz")
    name = file.removesuffix(".h5")
    received = outputs(model, expected[f"{name}_x"])
    assert f"{name}_y{len(received)}" not in expected
    for index, output in enumerate(received):
        np.testing.assert_allclose(output, expected[f"{name}_y{index}"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "file",
    [
        *(
            f"{name}.{kind}"
            for name in ("stateful", "given_statistics", "mobile", "sequential")
            for kind in ("h5", "keras")
        ),
        "stateful",
    ],
)
def test_predictions_with_layers_that_keep_more_than_weights(file):
    """Adapted normalization, nested and inverse, random layers, recurrence, bins: as the last Keras 2 computes."""
    name, expected = file.split(".")[0], np.load(DATA / "tf_keras-expected.npz")
    (result,) = outputs(load_model(DATA / f"tf_keras-{file}"), expected[f"{name}_x"])
    np.testing.assert_allclose(result, expected[f"{name}_y0"], rtol=1e-5, atol=1e-5)


def test_statistics_of_a_legacy_file_survive_compression_and_saving(tmp_path):
    model = load_model(DATA / "tf_keras-stateful.h5")
    images = np.load(DATA / "tf_keras-expected.npz")["stateful_x"]
    whole = apply_parameters(model, CompressionParameters({}, {}))
    again = load_model(save_model(whole, tmp_path / "again.keras"))
    for made in (whole, again):
        np.testing.assert_allclose(outputs(made, images)[0], outputs(model, images)[0], rtol=1e-5, atol=1e-6)


def test_weights_in_another_order_than_the_layers_are_refused(tmp_path):
    """A .keras file of Keras 2 names no weights; what tells them apart is the place, and the shape."""
    path = tmp_path / "model.keras"
    with ZipFile(DATA / "tf_keras-mobile.keras") as source, ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "model.weights.h5":
                with h5py.File(stored := BytesIO(content), "r+") as file:
                    file.move("layers/dense/vars/0", "layers/dense/vars/2")
                    file.move("layers/dense/vars/1", "layers/dense/vars/0")
                    file.move("layers/dense/vars/2", "layers/dense/vars/1")
                content = stored.getvalue()
            target.writestr(name, content)
    assert refusal(path) == (
        "layer 'linear' (Dense): expected weights of the shapes [(4, 3), (3,)], received [(3,), (4, 3)]; save the "
        "model as .h5 or again with Keras 3"
    )


def test_options_survive(tmp_path):
    model = load_model(DATA / "tf2.3-mobile.h5")
    assert model.get_layer("leaky").negative_slope == pytest.approx(0.1)
    assert model.get_layer("relu6").max_value == 6.0
    assert float(model.get_layer("block_conv").kernel_regularizer.l2) == pytest.approx(5e-4)
    assert float(model.get_layer("dw").depthwise_regularizer.l2) == pytest.approx(5e-4)
    assert float(model.get_layer("linear").kernel_regularizer.l1) == pytest.approx(1e-4)
    assert not load_model(DATA / "tf2.8-shared.h5").get_layer("frozen").trainable
    again = load_model(save_model(model, tmp_path / "again.keras"))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_a_legacy_model_can_be_compressed():
    model = load_model(DATA / "tf2.8-sequential.h5")
    smaller = apply_parameters(model, CompressionParameters({"conv1": 0.5}, {}))
    assert smaller.get_layer("conv1").filters == 2 and smaller.get_layer("linear").kernel.shape == (8, 3)


def edited(tmp_path, change, file="tf2.8-mobile.h5"):
    """A copy of a file with its configuration, or the file itself, changed in place."""
    path = shutil.copy(DATA / file, tmp_path / "model.h5")
    with h5py.File(path, "r+") as stored:
        document = json.loads(stored.attrs["model_config"])
        entries = {entry["config"]["name"]: entry for entry in document["config"]["layers"]}
        replaced = change(stored, document, entries)
        stored.attrs["model_config"] = json.dumps(document if replaced is None else replaced)
    return Path(path)


def refusal(path):
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"model file '{path}' cannot be read: ")
    assert "\n" not in message and len(message) < 600
    return message.split("cannot be read: ", 1)[1]


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

    load_model(edited(tmp_path, change))


def test_registered_layers_are_made(tmp_path):
    class Homemade(layers.Add):
        pass

    path = edited(tmp_path, entry("add", class_name="Homemade"))
    with keras.saving.custom_object_scope({"Homemade": Homemade}):
        assert isinstance(load_model(path).get_layer("add"), Homemade)


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


def saved(tmp_path, era="tf2.8"):
    return Path(shutil.copytree(DATA / f"{era}-shared", tmp_path / "saved"))


def test_the_size_of_a_folder(tmp_path):
    folder = saved(tmp_path)
    assert file_size(folder) == sum(
        len(path.read_bytes())
        for path in (
            folder / "saved_model.pb",
            folder / "keras_metadata.pb",
            folder / "variables" / "variables.index",
            folder / "variables" / "variables.data-00000-of-00001",
        )
    )


def test_a_saved_model_without_architecture(tmp_path):
    folder = saved(tmp_path)
    (folder / "keras_metadata.pb").unlink()  # TensorFlow 2.8 stores it nowhere else.
    assert "it holds no architecture, only a TensorFlow graph" in refusal(folder)


def test_an_exported_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.export(tmp_path / "exported", verbose=False)
    assert "give the .keras or .h5 file that it was made from" in refusal(tmp_path / "exported")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("file", ["saved_model.pb", "keras_metadata.pb", "variables/variables.index"])
def test_damaged_saved_models(tmp_path, era, file):
    folder = saved(tmp_path, era)
    if (folder / file).exists() and (era, file) != ("tf2.8", "saved_model.pb"):
        (folder / file).write_bytes(b"no model" * 20)
        refusal(folder)


def test_a_saved_model_without_weights(tmp_path):
    folder = saved(tmp_path)
    shutil.rmtree(folder / "variables")
    refusal(folder)
