"""Every format of compressed models is read back and compared with Keras, number by number; and what goes wrong."""

from dataclasses import replace
from functools import cache, partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from compress.errors import ModelError
from compress.model_files.files import file_size
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.latency import LatencySettings
from objectives.cost.litert import litert_interpreter
from search.cli.tables import _agreement
from search.pipeline import shipment
from search.pipeline.formats.format import formats
from search.pipeline.shipment import Sample, write_formats
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized
from tests.snippets import snippets
from zoo.data.load import load_dataset
from zoo.tasks.kinds.regression import Regression

FORMATS = formats()
SPARED = [name for name in FORMATS if FORMATS[name].missing()]
"""Formats whose packages are not installed; the extra ``dev`` has them."""
INSTALLED = [name for name in FORMATS if name not in SPARED]
EACH = [pytest.param(name, marks=pytest.mark.skipif(name in SPARED, reason="needs the extra ship")) for name in FORMATS]
QUICK = LatencySettings(warm_up=1, runs=3)
IMAGES = 40


@cache
def pruned_and_decomposed():
    """Residual additions, batch normalization, and Tucker's three convolutions."""
    parameters = CompressionParameters(
        {"conv1": 0.5, "b0.conv1": 0.4, "add_1": 0.25}, {"b0.conv2": (2, 4), "b1.conv1": (5, 3)}
    )
    return apply_parameters(randomized(models.residual()), parameters)


@cache
def pruned_depthwise():
    """A depthwise convolution of two maps a channel, and logits."""
    return apply_parameters(randomized(models.depthwise(2)), CompressionParameters({"conv1": 0.5}, {}))


@cache
def pruned_dense():
    """A reshape, which has to leave the number of images open, and a softmax."""
    return apply_parameters(randomized(models.flatten()), CompressionParameters({"conv1": 0.5}, {}))


NETS = {"residual, Tucker": pruned_and_decomposed, "depthwise": pruned_depthwise, "flatten": pruned_dense}


def sample(model):
    images = partial(models.images, model)
    return Sample(images(seed=1, count=IMAGES), images(seed=2, count=30))


@pytest.fixture(scope="module", params=NETS.values(), ids=NETS)
def shipped(request, tmp_path_factory):
    """A model, the folder of its files, the lines that were logged, and the shipment."""
    model, folder, logged = request.param(), tmp_path_factory.mktemp("shipped") / "exports", []
    return model, folder, logged, write_formats(model, "search", INSTALLED, sample(model), folder, logged.append, QUICK)


def test_every_format_is_written_and_no_other_file(shipped):
    _, folder, logged, made = shipped
    files = [f"search{FORMATS[name].ending}" for name in INSTALLED]
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    assert logged == [f"writing {folder / file}" for file in files]
    assert [(row.format, row.file) for row in made.exports] == [
        (name, f"exports/{file}") for name, file in zip(INSTALLED, files, strict=True)
    ]
    assert [row.bytes for row in made.exports] == [file_size(folder / file) for file in files]
    assert made.problems == () and made.images == IMAGES
    made.check()


def test_formats_in_float_agree_and_int8_nearly(shipped):
    made = shipped[-1]
    for row in made.exports:
        exact = row.format != "tflite-int8"
        assert row.agreement == 1.0 if exact else row.agreement >= 0.9
        assert row.max_difference < 1e-5 if exact else 1e-4 < row.max_difference < 0.25
        assert row.latency_ms > 0 and row.latency_spread_ms >= 0
    assert {row.format: row.max_difference for row in made.exports}["keras"] == 0.0


@pytest.mark.parametrize("name", EACH)
def test_the_file_takes_any_number_of_images(shipped, name):
    model, folder, _, _ = shipped
    run, x = FORMATS[name].load(folder / f"search{FORMATS[name].ending}"), models.images(model, seed=5, count=7)
    expected = models.outputs(model, x)[0]
    for count in (1, 7):
        outputs = run(x[:count])
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(outputs, expected[:count], atol=0.25 if name == "tflite-int8" else 1e-5)


def test_tflite_is_resizable_and_int8_takes_floats(shipped):
    model, folder, _, _ = shipped
    x = models.images(model, seed=5, count=7)
    for ending, kinds, tolerance in ((".tflite", {np.float32}, 1e-5), ("-int8.tflite", {np.int8, np.int32}, 0.25)):
        interpreter = litert_interpreter((folder / f"search{ending}").read_bytes(), 1)
        (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
        assert source["dtype"] == target["dtype"] == np.float32
        assert kinds <= {detail["dtype"] for detail in interpreter.get_tensor_details()}
        interpreter.resize_tensor_input(source["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], x)
        interpreter.invoke()
        np.testing.assert_allclose(
            interpreter.get_tensor(target["index"]),
            models.outputs(model, x)[0],
            atol=tolerance,
        )


def test_the_signature_of_tflite_is_as_documented(shipped):
    model, folder, _, _ = shipped
    x = models.images(model, seed=5, count=7)
    runner = litert_interpreter((folder / "search.tflite").read_bytes(), 1).get_signature_runner()
    np.testing.assert_allclose(runner(images=x)["output_0"], models.outputs(model, x)[0], atol=1e-5)


STRUCTURES = {"lists": lambda name, tensor: [tensor], "dictionaries": lambda name, tensor: {name: tensor}}


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_every_format_of_a_model_is_called_as_the_model_takes_its_images(tmp_path, structure, dtype):
    inputs = keras.Input((8, 8, 3), dtype=dtype, name="photo")
    x = keras.layers.Flatten()(models.conv(keras.layers.Rescaling(0.25)(inputs), "conv1", 4))
    model = keras.Model(structure("photo", inputs), structure("answer", keras.layers.Dense(3)(x)))
    whole = np.random.default_rng(0).integers(0, 9, (IMAGES, 8, 8, 3)).astype(np.float32)
    made = write_formats(model, "net", INSTALLED, Sample(whole, whole), tmp_path, lambda line: None, QUICK)
    made.check()
    assert [row.format for row in made.exports] == INSTALLED


def unconvertible():
    """An operation of keras.ops, which .h5 files cannot hold, and that only TensorFlow has."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Activation("tanh")(models.conv(inputs, "conv1", 4))
    return keras.Model(inputs, models.head(keras.ops.erfinv(0.5 * x)), name="odd")


def test_what_a_format_cannot_hold_is_named_and_the_others_are_written(tmp_path):
    model = unconvertible()
    (tmp_path / "odd.h5").write_bytes(b"of an earlier model")
    made = write_formats(model, "odd", INSTALLED, sample(model), tmp_path, lambda line: None, QUICK)
    assert [row.format for row in made.exports] == ["keras", "savedmodel"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd.keras", "odd.savedmodel"]
    problems = {problem.split()[1]: problem for problem in made.problems}
    assert list(problems) == [name for name in INSTALLED if name not in ("keras", "savedmodel")]
    for name, problem in problems.items():
        assert problem.startswith(f"format {name} cannot be made of model 'odd': ")
    assert "Unknown layer: 'Multiply'" in problems["h5"] or "Unknown layer: 'Erfinv'" in problems["h5"]
    assert ["removed" in problem for problem in problems.values()] == [name == "h5" for name in problems]
    assert problems["h5"].endswith(f"; the earlier '{tmp_path / 'odd.h5'}' is removed")
    for name in ("tflite", "tflite-int8"):
        assert "LiteRT has no Erfinv, which the model computes in odd" in problems[name]
    if "onnx" in INSTALLED:
        assert "Erfinv" in problems["onnx"]
    with pytest.raises(ModelError, match="^format h5 cannot.*; format tflite cannot"):
        made.check()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_what_computes_in_another_precision_than_litert_is_named(tmp_path, policy):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, dtype=policy, name="half")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, dtype="float32")(keras.layers.Flatten()(x)))
    made = write_formats(model, "net", ["tflite"], sample(model), tmp_path, lambda line: None, QUICK)
    (problem,) = made.problems
    computed = policy.removeprefix("mixed_")
    assert f"a model that computes in {computed}, as its layer 'half' does; give its layers the policy" in problem


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda outputs: outputs[:, ::-1], "^format h5 disagrees: expected the Keras model's answers to all 40 images"),
        # Every class is right, but the probabilities are not.
        (lambda outputs: outputs / 2, "^format h5 disagrees: .* received 100.00 % and outputs up to 0[.].* apart"),
        (lambda outputs: outputs * np.nan, "^format h5 cannot be made .*: expected finite outputs, received NaN"),
    ],
)
def test_outputs_that_differ_are_told(tmp_path, monkeypatch, spoil, problem):
    model = pruned_depthwise()
    spoilt = replace(FORMATS["h5"], load=lambda path: lambda x: spoil(models.outputs(model, x)[0]))
    monkeypatch.setattr(shipment, "formats", lambda: {**FORMATS, "h5": spoilt})
    made = write_formats(model, "net", ["keras", "h5"], sample(model), tmp_path, lambda line: None, QUICK)
    with pytest.raises(ModelError, match=problem):
        made.check()
    assert made.exports[0].agreement == 1.0


def test_figures_by_hand(tmp_path, monkeypatch):
    model = pruned_depthwise()
    x = sample(model)
    expected = models.outputs(model, x.compared)[0]
    changed = expected.copy()
    changed[:10] = changed[:10, ::-1]
    classes = float(np.mean(changed.argmax(-1) == expected.argmax(-1)))
    # In batches of 64 the images come at once; the first alone is timed.
    altered = replace(FORMATS["tflite-int8"], load=lambda path: lambda images: changed[: len(images)])
    monkeypatch.setattr(shipment, "formats", lambda: {**FORMATS, "tflite-int8": altered})
    (row,) = write_formats(model, "net", ["tflite-int8"], x, tmp_path, lambda line: None, QUICK).exports
    assert row.agreement == classes < 1.0
    assert row.max_difference == float(np.abs(changed - expected).max())


def test_answers_that_are_no_classes_are_compared_by_the_metric(tmp_path, monkeypatch):
    model = pruned_depthwise()
    x = sample(model)
    expected = models.outputs(model, x.compared)[0]
    # A quarter above the model's outputs, which are an eighth below what is right.
    x = replace(x, task=Regression(), targets=expected + 0.125)
    altered = replace(FORMATS["h5"], load=lambda path: lambda images: expected[: len(images)] + np.float32(0.375))
    monkeypatch.setattr(shipment, "formats", lambda: {**FORMATS, "h5": altered})
    made = write_formats(model, "net", ["keras", "h5"], x, tmp_path, lambda line: None, QUICK)
    exact, other = made.exports
    assert (exact.agreement, exact.metric, exact.metric_gain) == (None, "MAE", 0.0)
    assert other.metric_gain == pytest.approx(0.125, abs=1e-6)
    (problem,) = made.problems
    assert "answers to all 40 images, received outputs up to 0.38 apart; do not use" in problem
    assert [_agreement(row) for row in made.exports] == ["MAE +0.0000", "MAE +0.1250"]


def test_a_format_takes_the_place_of_what_was_there(tmp_path):
    model = pruned_depthwise()
    (tmp_path / "net.savedmodel").mkdir()
    (tmp_path / "net.savedmodel" / "old").write_text("old")
    write_formats(model, "net", ["savedmodel"], sample(model), tmp_path, lambda line: None, QUICK)
    assert (tmp_path / "net.savedmodel" / "saved_model.pb").is_file()
    assert not (tmp_path / "net.savedmodel" / "old").exists()


def test_formats_are_compared_on_test_images_and_calibrated_on_training_images():
    data = load_dataset("digits")
    drawn = Sample.of(data, seed=3, compared=50)
    for images, split, count in ((drawn.compared, data.test, 50), (drawn.calibration, data.train, 256)):
        known = {image.tobytes() for image in data.normalization(split.images)}
        assert len(images) == count and {image.tobytes() for image in images} <= known


@pytest.mark.filterwarnings("ignore::UserWarning")  # TensorFlow's interpreter announces its successor.
@pytest.mark.parametrize("shipped", [pruned_and_decomposed], ids=["residual, Tucker"], indirect=True)
def test_the_page_loads_every_file(shipped, monkeypatch):
    model, folder, _, _ = shipped
    monkeypatch.chdir(folder)
    images = models.images(model, seed=5, count=7)
    expected = models.outputs(model, images)[0]
    names = {"keras": keras, "tf": tf, "onnxruntime": pytest.importorskip("onnxruntime"), "images": images}
    loads = snippets("python", "docs/shipping.md")
    assert len(loads) == 4
    for snippet in loads:
        exec(compile(snippet.text, snippet.page, "exec"), names)
        outputs = np.asarray(names.pop("outputs"))
        np.testing.assert_allclose(outputs, expected[: len(outputs)], atol=1e-5)
