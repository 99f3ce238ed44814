"""What a training computes in, and by which kernels."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest

from tests.zoo.training.test_training import _small
from zoo.data.dataset import ImageDataset
from zoo.data.load import load_dataset
from zoo.kernels import batch_normalization
from zoo.tasks.registry import tasks
from zoo.training.precision import PrecisionName, computing_in, precision_for, precision_line
from zoo.training.training import TrainingSettings, train


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset("digits", validation=0.3)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_computes_in_half_and_keeps_whole_weights(
    digits: ImageDataset, precision: PrecisionName
) -> None:
    seen, nested = set[str](), _small()
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Activation("linear", name="last")(nested(inputs)))

    class Types(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            seen.update(layer.compute_dtype for layer in nested.layers if layer.name != nested.layers[-1].name)

    images = digits.normalization(digits.train.images[:64])
    result = train(model, digits, TrainingSettings(epochs=3, batch_size=64, precision=precision), [Types()])
    assert seen == {precision.removeprefix("mixed_")} and result.validation > 0.7
    assert {layer.compute_dtype for layer in nested.layers} == {"float32"}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    with computing_in(model, precision):
        half = np.asarray(model(images))
    whole = np.asarray(model(images))
    assert half.dtype == np.float32 and 0 < np.abs(half - whole).max() < 0.1


def test_layers_train_by_our_kernels_and_have_their_own_afterwards(digits: ImageDataset) -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 1, strides=2, name="strided"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    replaced = {"call", "convolution_op"}
    seen = set[tuple[str, str]]()

    class Methods(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            seen.update((layer.name, method) for layer in model.layers for method in replaced & set(vars(layer)))

    train(model, digits, TrainingSettings(epochs=1, batch_size=64), [Methods()])
    assert seen == {("strided", "convolution_op"), ("norm", "call")}
    assert not any(replaced & set(vars(layer)) for layer in model.layers)


def test_steps_of_any_number_of_images_take_the_fast_normalization(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras does not say how many images a batch of a training has."""
    shapes, fused = [], batch_normalization.normalize_fused

    def recorded(inputs: Any, *others: Any) -> Any:
        shapes.append(tuple(inputs.shape))
        return fused(inputs, *others)

    monkeypatch.setattr(batch_normalization, "normalize_fused", recorded)
    middle = [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    train(keras.Sequential([keras.Input((8, 8, 1)), *middle]), digits, TrainingSettings(epochs=1, batch_size=64))
    assert (None, 8, 8, 1) in shapes


@pytest.mark.parametrize("hardware", ["float32", "mixed_bfloat16"])
def test_the_fastest_precision_is_taken_where_the_task_bears_it(
    digits: ImageDataset, hardware: PrecisionName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.training.precision.fastest_precision", lambda: hardware)
    values = {name for name, kind in tasks().items() if precision_for(kind) == "float32"}
    kinds = tasks()["classification"], tasks()["regression"]
    assert [precision_line(None, kind, _small()) for kind in kinds] == [
        None
        if hardware == "float32"
        else "computes in mixed_bfloat16, which the hardware multiplies (precision: auto)",
        None,
    ]
    assert precision_line("mixed_bfloat16", kinds[0], _small()) is None
    assert precision_line(None, kinds[0], keras.Sequential([keras.Input((8,)), keras.layers.Dense(10)])) is None
    if hardware == "mixed_bfloat16":
        assert values == {"regression", "image_to_image", "super_resolution"}
    made = [_small(), _small()]
    for model, precision in zip(made, (None, hardware), strict=True):
        train(model, digits, TrainingSettings(epochs=1, batch_size=64, precision=precision))
    for one, other in zip(*(model.get_weights() for model in made), strict=True):
        np.testing.assert_array_equal(one, other)


def computed_in(model: keras.Model) -> dict[str, str]:
    """What every layer computes in, those in other layers included, while the model is trained in bfloat16."""
    with computing_in(model, "mixed_bfloat16"):
        return {layer.name: layer.compute_dtype for layer in model._flatten_layers(include_self=False)}


def test_what_reads_the_inputs_as_they_are_stays_in_whole_floats() -> None:
    """16 bits would make 1000.5 and 1001.5 one number, before a normalization that tells them apart."""
    model = keras.Sequential(
        [
            keras.Input((6, 2)),
            keras.layers.Normalization(mean=1000.0, variance=1.0, name="first"),
            keras.layers.BatchNormalization(name="second"),
            keras.layers.Conv1D(4, 3, name="product"),
            keras.layers.BatchNormalization(name="behind"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(3, name="last"),
        ]
    )
    short = {name for name, computed in computed_in(model).items() if computed == "bfloat16"}
    assert short == {"product", "behind", "flat"}
    values = (1000 + np.linspace(-1, 1, 24, dtype=np.float32)).reshape(2, 6, 2)
    with computing_in(model, "mixed_bfloat16"):
        made = np.asarray(model(values))
    np.testing.assert_allclose(made, np.asarray(model(values)), atol=0.05)


def test_a_way_around_the_first_product_reads_the_inputs_too() -> None:
    inputs = keras.Input((8, 8, 3))
    product = keras.layers.Conv2D(3, 1, name="product")(inputs)
    around = keras.layers.MaxPooling2D(name="around")(inputs)
    both = keras.layers.Concatenate(name="both")([keras.layers.MaxPooling2D(name="behind")(product), around])
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1, name="last")(both))
    keras.layers.Conv2D(5, 1)(model.get_layer("around")(keras.Input((4, 4, 5))))  # Of another model.
    short = {name for name, computed in computed_in(model).items() if computed == "bfloat16"}
    assert short == {"product", "behind", "both"}


def test_policies_of_users_and_layers_in_wrappers_stay() -> None:
    model = keras.Sequential(
        [
            keras.Input((4, 8, 3)),
            keras.layers.TimeDistributed(keras.layers.Conv1D(2, 3, name="inner"), name="wrapper"),
            keras.layers.Reshape((4, 12), name="flat"),
            keras.layers.Bidirectional(keras.layers.LSTM(2), name="both"),
            keras.layers.Dense(4, dtype="float64", name="exact"),
            keras.layers.Dense(4, dtype="mixed_float16", name="chosen"),
            keras.layers.Dense(3, name="last"),
        ]
    )
    expected = {"flat": "bfloat16", "exact": "float64", "chosen": "float16"}
    assert {name: kind for name, kind in computed_in(model).items() if kind != "float32"} == expected


def test_a_model_that_gives_the_outputs_computes_in_half_but_for_its_own_last_layer() -> None:
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, name="conv"), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255, name="raw"), inner])
    computed = computed_in(model)
    assert (computed["raw"], computed["conv"], computed[inner.layers[-1].name]) == ("float32", "bfloat16", "float32")
