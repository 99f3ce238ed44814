"""Searches of models that take images of any size, and of models that take series: from the data to the file."""

import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ConfigError, DataError
from compress.graph.analysis import analyse
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from objectives.cost.cost_model import CostModel
from search.driver.listeners.listener import Listener
from search.pipeline.compression import compress_own, compress_recommended
from search.pipeline.search import run_search
from search.runs.points import RunPoints
from search.strategies.preparation import prepared
from tests.search.fixtures.runs import config

STAGES = {"recipe": ["prune"], "space": {"ranks": False, "layers": {"first": {"ratio": 0.25}}}}
SHORT = {"finetune": {"epochs": 1, "batch_size": 32}, "finals": {"candidates": 1, "epochs": 1}, **STAGES}
SEARCH = {"trials": 2, "workers": 1, "strategy": "joint", "sensitivity": False}
NONE = CompressionParameters.none()


def of_images(*shape):
    inputs = keras.Input(shape)
    x = layers.ReLU()(layers.Conv2D(8, 3, name="first")(inputs))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, name="second")(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x))


def of_series(*shape):
    inputs = keras.Input(shape)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(8, 3, name="first")(inputs)))
    x = layers.GlobalAveragePooling1D()(layers.Conv1D(8, 3, name="second")(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x))


CASES = {
    "images of any size": (of_images, (None, None, 2), (9, 8, 2)),
    "series of any length": (of_series, (None, 2), (20, 2)),
}


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    """A saved model, data of its kind, and the model's size there: FLOPs are those of a model of that size."""
    make, shape, size = CASES[request.param]
    keras.utils.set_random_seed(0)
    make(*shape).save(tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    values = (rng.normal(size=(60, *size)) + labels.reshape(60, *[1] * len(size))).astype(np.float32)
    arrays = {"x_train": values[:42], "y_train": labels[:42], "x_test": values[42:], "y_test": labels[42:]}
    np.savez(tmp_path / "data.npz", **arrays)
    return tmp_path, shape, CostModel(analyse(make(*size))).cost(NONE)


def given(folder, **changes):
    data = {"source": str(folder / "data.npz"), "validation": 0.2}
    return config(folder, **{"model": {"path": str(folder / "model.keras")}, "data": data, **SHORT, **changes})


def test_from_the_search_to_the_compressed_file(case, local_pool):
    folder, shape, original = case
    run = given(folder, search=SEARCH)
    outcome = run_search(run)
    assert all(trial.score is not None for trial in outcome.trials) and len(outcome.trials) == 2
    assert all(trial.parameters.ratios["first"] == 0.25 for trial in outcome.trials)
    assert all(finalist.error is None and finalist.parameters.ratios["first"] == 0.25 for finalist in outcome.finalists)
    points = RunPoints.of(outcome.folder.path)
    assert points.original == original and outcome.winner.cost.flops <= original.flops / 2
    made = compress_own(folder / "model.keras", outcome.winner.parameters, run)
    compressed = load_model(made.path)
    assert made.result.flops == outcome.winner.cost.flops and compressed.input_shape == (None, *shape)
    if None in shape:
        other = tuple(size or 13 for size in shape)
        assert compressed(np.zeros((1, *other))).shape == (1, 3)


def test_recommended_values_meet_the_budget(case):
    folder, _, original = case
    made = compress_recommended(folder / "model.keras", given(folder, finetune={"epochs": 0}))
    assert made.result.flops <= original.flops / 2 and made.parameters.ratios["first"] == 0.25


def test_series_are_not_augmented_and_not_resized(case):
    folder, shape, _ = case
    if len(shape) == 3:
        pytest.skip("of images")
    model = load_model(folder / "model.keras")
    with pytest.raises(ConfigError, match=r"finetune.augment: expected null for series of shape \(20, 2\),"):
        prepared(given(folder, finetune={"epochs": 1, "augment": {}}), model, Listener())
    with pytest.raises(DataError, match="expected an image_size for an image folder only"):
        data = {"source": str(folder / "data.npz"), "image_size": [8, 8]}
        prepared(given(folder, data=data), model, Listener())
