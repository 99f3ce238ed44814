"""What a training computes in, and by which kernels."""

from collections.abc import Mapping

import keras
import numpy as np
import pytest

from tests.zoo.training.test_training import _small
from zoo.data.dataset import ImageDataset
from zoo.data.load import load_dataset
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


@pytest.mark.parametrize("hardware", ["float32", "mixed_bfloat16"])
def test_the_fastest_precision_is_taken_where_the_task_bears_it(
    digits: ImageDataset, hardware: PrecisionName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.training.precision.fastest_precision", lambda: hardware)
    values = {name for name, kind in tasks().items() if precision_for(kind) == "float32"}
    kinds = tasks()["classification"], tasks()["regression"]
    assert [precision_line(None, kind) for kind in kinds] == [
        None
        if hardware == "float32"
        else "computes in mixed_bfloat16, which the hardware multiplies (precision: auto)",
        None,
    ]
    assert precision_line("mixed_bfloat16", kinds[0]) is None
    if hardware == "mixed_bfloat16":
        assert values == {"regression", "image_to_image", "super_resolution"}
    made = [_small(), _small()]
    for model, precision in zip(made, (None, hardware), strict=True):
        train(model, digits, TrainingSettings(epochs=1, batch_size=64, precision=precision))
    for one, other in zip(*(model.get_weights() for model in made), strict=True):
        np.testing.assert_array_equal(one, other)
