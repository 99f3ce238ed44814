"""Files of Keras 2: predictions equal those of the TensorFlow that wrote them (scripts/dev/make_keras2_models.py)."""

from io import BytesIO
from zipfile import ZipFile

import h5py
import numpy as np
import pytest

from compress.model_files.files import load_model, save_model
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from tests.compress.fixtures.models import outputs
from tests.compress.model_files.keras2_edits import DATA, ERAS, edited, refusal

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


@pytest.mark.parametrize("file", ["tf2.8-mobile.h5", "tf2.8-sequential.h5"])
def test_a_model_that_is_frozen_as_a_whole(tmp_path, file):
    def freeze(stored, document, entries):
        document["config"]["trainable"] = False

    model = load_model(edited(tmp_path, freeze, file))
    assert model.weights and not model.trainable_weights


@pytest.mark.parametrize("frozen", [True, False])
def test_a_model_that_is_frozen_as_a_whole_in_another(tmp_path, frozen):
    """Keras 2 froze it there by its own flag, and Keras 3 only by those of its layers."""
    inside = set()

    def freeze(stored, document, entries):
        (nested,) = (entry for entry in entries.values() if entry["class_name"] in ("Functional", "Sequential"))
        nested["config"]["trainable"] = not frozen
        inside.update(entry["config"]["name"] for entry in nested["config"]["layers"])

    model = load_model(edited(tmp_path, freeze, "tf2.8-shared.h5"))
    nested = [layer for layer in model.layers if layer.name in inside and layer.weights]
    assert any(layer.trainable_weights for layer in nested) is not frozen
    assert {layer.name for layer in model.layers if layer.trainable_weights}.difference(inside)


def test_a_legacy_model_can_be_compressed():
    model = load_model(DATA / "tf2.8-sequential.h5")
    smaller = apply_parameters(model, CompressionParameters({"conv1": 0.5}, {}))
    assert smaller.get_layer("conv1").filters == 2 and smaller.get_layer("linear").kernel.shape == (8, 3)
