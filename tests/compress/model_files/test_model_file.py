import os
import zipfile
from threading import Lock

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from compress.cloning.rebuild import copy_model
from compress.errors import ModelError
from compress.model_files.files import file_size, load_model, save_model, saved_size
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized
from tests.compress.fixtures.oracles import assert_same_outputs


class Homemade(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("build", [models.residual, models.sequential])
def test_round_trip(tmp_path, build, suffix):
    model = randomized(build())
    path = save_model(model, tmp_path / "new" / f"model{suffix}")
    assert_same_outputs(load_model(path), model, tolerance=1e-6)
    assert os.listdir(path.parent) == [path.name]


def test_overwrites_only_when_whole(tmp_path):
    path = save_model(randomized(models.chain(), 0), tmp_path / "model.keras")
    other = randomized(models.chain(), 5)
    save_model(other, path)
    assert_same_outputs(load_model(path), other, tolerance=1e-6)


def homemade_file(folder):
    model = Homemade(name="mine")
    model(np.zeros((1, 3)))
    model.save(folder / "model.keras")
    return folder / "model.keras"


def corrupt_file(folder):
    path = folder / "model.keras"
    models.chain().save(path)
    path.write_bytes(path.read_bytes()[:2000])
    return path


def text_file(folder):
    path = folder / "model.keras"
    path.write_text("no model", encoding="utf-8")
    return path


def empty_archive(folder):
    zipfile.ZipFile(folder / "model.keras", "w").close()
    return folder / "model.keras"


def corrupt_h5(folder):
    path = folder / "model.h5"
    path.write_bytes(b"no model")
    return path


def unknown_format(folder):
    path = folder / "model.txt"
    path.write_text("no model", encoding="utf-8")
    return path


def python_lambda(folder):
    inputs = keras.Input((3,))
    keras.Model(inputs, layers.Lambda(lambda x: x + 1)(inputs)).save(folder / "model.keras")
    return folder / "model.keras"


@pytest.mark.parametrize(
    "make", [homemade_file, corrupt_file, text_file, empty_archive, corrupt_h5, unknown_format, python_lambda]
)
def test_files_that_cannot_be_read(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"model file '{path}' cannot be read: ") and "\n" not in message and len(message) < 500


def test_h5_files_hold_no_operations(tmp_path):
    path = tmp_path / "model.h5"
    models.arithmetic().save(path)
    with pytest.raises(ModelError, match=r"Unknown layer: .*: save the model as \.keras$"):
        load_model(path)


def test_a_registered_subclass_is_read_by_its_call(tmp_path):
    path = homemade_file(tmp_path)
    with keras.saving.custom_object_scope({"Homemade": Homemade}):
        model, original = load_model(path), keras.models.load_model(path)
    assert [layer.name for layer in model.layers if layer.weights] == ["dense"]
    assert_same_outputs(model, original, models.images(model))


@pytest.mark.parametrize("name", ["absent.keras", "."])
def test_no_file(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert str(caught.value) == (
        f"expected a .keras or .h5 file, or a SavedModel folder, received '{path}', which is none; check the path"
    )


@pytest.mark.parametrize("name", ["model.txt", "blocked/model.keras"])
def test_files_that_cannot_be_written(tmp_path, name):
    (tmp_path / "blocked").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        save_model(models.chain(), tmp_path / name)
    assert str(caught.value).startswith(f"model file '{tmp_path / name}' cannot be written: ")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["blocked"]


class Scaled(layers.Layer):
    """Lacks in its configuration what its constructor needs, holds what cannot be copied, and cannot be traced."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor
        self.lock = Lock()

    def get_config(self):
        return {"name": self.name}

    def call(self, inputs):
        return tf.multiply(self.factor, inputs)


def test_layers_that_cannot_be_copied_are_named():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, Scaled(2.0, name="scaled")(inputs))
    with pytest.raises(ModelError) as caught:
        copy_model(model)
    assert str(caught.value).startswith("layer 'scaled' (Scaled) cannot be copied: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("build", [models.several_ends, models.arithmetic, models.nested_model, models.sequential])
def test_copies_are_equal_and_share_nothing(build):
    model = randomized(build())
    copy = copy_model(model)
    assert_same_outputs(copy, model, tolerance=1e-6)
    assert [layer.name for layer in copy.layers][-3:] == [layer.name for layer in model.layers][-3:]
    assert [tensor.shape for tensor in copy.inputs] == [tensor.shape for tensor in model.inputs]
    assert not {id(v) for v in model.variables} & {id(v) for v in copy.variables}


def test_inputs_keep_their_names_and_structure():
    inputs = {"left": keras.Input((3,), name="left"), "right": keras.Input((3,), name="right")}
    model = randomized(keras.Model(inputs, {"sum": layers.Add(name="sum")([inputs["left"], inputs["right"]])}))
    copy = copy_model(model)
    x = {"left": np.ones((2, 3), np.float32), "right": np.full((2, 3), 2, np.float32)}
    np.testing.assert_array_equal(copy(x)["sum"], np.full((2, 3), 3))
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, value):
    inputs = keras.Input((4, 4, 3))
    inner = keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(2, 1, name="inner_conv")], name="inner")
    model = keras.Model(inputs, layers.Conv2D(2, 1, name="conv")(layers.Conv2D(3, 1, name="first")(inputs)))
    nested = keras.Model(inputs, inner(inputs))
    for broken, layer, name in ((model, "conv", "conv/kernel"), (nested, "inner", "inner_conv/kernel")):
        kernel = broken.get_layer(layer).trainable_weights[0]
        spoiled = np.asarray(kernel)
        spoiled[0, 0, 0, 1] = value
        kernel.assign(spoiled)
        path = tmp_path / "model.keras"
        broken.save(path)
        with pytest.raises(ModelError, match=f"expected finite weights.*1 of {name}"):
            load_model(path)
        with pytest.raises(ModelError, match=f"expected finite weights.*1 of {name}"):
            apply_parameters(broken, CompressionParameters({}, {}))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_the_state_of_an_optimizer_stays_out_of_files(tmp_path, suffix):
    model = randomized(models.chain(), 0)
    untrained = save_model(model, tmp_path / f"untrained{suffix}")
    optimizer = keras.optimizers.SGD(momentum=0.9)
    model.compile(optimizer, "mse")
    model.fit(np.zeros((4, *model.input_shape[1:])), np.zeros((4, *model.output_shape[1:])), verbose=0)
    path = save_model(model, tmp_path / f"trained{suffix}")
    # What is compressed differs by some bytes; momenta would be as many as the weights.
    assert file_size(path) == pytest.approx(file_size(untrained), rel=0.01)
    assert model.compiled and model.optimizer is optimizer and optimizer.iterations == 1
    plain = keras.models.load_model(path)
    assert not plain.compiled
    assert_same_outputs(plain, model, tolerance=1e-6)


def test_the_size_is_that_of_a_file_without_them(tmp_path):
    model = randomized(models.chain(), 0)
    plain = file_size(save_model(model, tmp_path / "plain.keras"))
    model.compile(keras.optimizers.Adam(), "mse")
    model.fit(np.zeros((4, *model.input_shape[1:])), np.zeros((4, *model.output_shape[1:])), verbose=0)
    assert saved_size(model) == pytest.approx(plain, rel=0.01)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_weights_that_lie_in_another_file_are_not_read(tmp_path, suffix):
    """Else a model could carry whatever its user may read."""
    (tmp_path / "secret").write_bytes(bytes(64))
    inputs = keras.Input((3,))
    path = tmp_path / f"model{suffix}"
    keras.Model(inputs, layers.Dense(4, name="dense")(inputs)).save(path)
    if suffix == ".h5":
        point_elsewhere(path, tmp_path / "secret")
    else:
        name = "model.weights.h5"
        with zipfile.ZipFile(path) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        (tmp_path / name).write_bytes(members[name])
        point_elsewhere(tmp_path / name, tmp_path / "secret")
        members[name] = (tmp_path / name).read_bytes()
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
    with pytest.raises(ModelError, match="Not allowed: H5 file with external"):
        load_model(path)


def point_elsewhere(path, target):
    """Put the kernel's 12 numbers into another file."""
    with h5py.File(path, "r+") as file:
        kernels = []
        file.visititems(lambda name, item: kernels.append(name) if getattr(item, "shape", None) == (3, 4) else None)
        (kernel,) = kernels
        del file[kernel]
        file.create_dataset(kernel, (3, 4), "float32", external=[(str(target), 0, 48)])
