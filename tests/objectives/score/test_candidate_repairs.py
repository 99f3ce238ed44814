"""Candidates as weights alone against candidates that are built."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from compress.cloning.walk import as_functional, layers_by_name
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters, compressed_values, prune_and_decompose
from objectives.cost.cost_model import CostModel
from objectives.score.candidate_repairs import CandidateRepairs
from objectives.score.proxy import ProxySettings, ScoreProxy
from scripts.bench.objectives.random_candidate import random_candidate
from tests.compress.fixtures.user_layers import LayerScale
from tests.objectives.images import CLASSES, SHAPE, dataset
from tests.objectives.thin_models import REPEATED, thin_model
from zoo.models.registry import CLASSIFIERS

SETTINGS = ProxySettings(recalibration_images=32, steps=3, batch_size=16, learning_rate=0.05)


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name not in REPEATED])
def test_values_are_the_weights_of_the_model_that_is_built(name: str) -> None:
    original = as_functional(thin_model(name))
    graph = analyse(original)
    for seed in range(2):
        parameters = random_candidate(CostModel(graph), seed)
        model = prune_and_decompose(original, parameters.ratios, parameters.ranks)
        values = compressed_values(original, graph, parameters.ratios, parameters.ranks)
        layers = layers_by_name(model)
        assert sum(len(result) for result in values.values()) == len(model.weights)
        for layer, result in values.items():
            for attribute, value in result.items():
                np.testing.assert_array_equal(value, np.asarray(getattr(layers[layer], attribute)))


def net() -> Any:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(12, 3, padding="same", name="a", use_bias=False)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(12, 3, padding="same", name="b")(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))


CANDIDATES = [
    CompressionParameters({"a": 0.5}, {}),
    CompressionParameters({"a": 0.2, "b": 0.6}, {}),
    CompressionParameters({"a": 0.5}, {"b": (2, 3)}),
    CompressionParameters({"b": 0.3}, {"b": (4, 2)}),
    CompressionParameters({"a": 0.7}, {}),
]


@pytest.mark.parametrize("recipe", [("prune", "decompose"), ("decompose", "prune")])
def test_every_candidate_is_judged_as_its_model_is(recipe: tuple[Any, ...]) -> None:
    data, original = dataset(), net()
    proxy = ScoreProxy(data, SETTINGS)
    candidates = CandidateRepairs(original, proxy, recipe)
    for parameters in CANDIDATES:
        result = proxy.rung(candidates.start(parameters), 3)
        alone = ScoreProxy(data, SETTINGS)(apply_parameters(original, parameters, recipe))
        assert replace(result, seconds=0.0) == replace(alone, seconds=0.0), parameters


@pytest.mark.parametrize(
    ("norm", "shared"),
    [
        (keras.layers.LayerNormalization, True),
        (lambda: keras.layers.LayerNormalization(scale=False, center=False), True),
        (lambda: keras.layers.GroupNormalization(1, scale=False), True),
        (keras.layers.RMSNormalization, False),
        (lambda: LayerScale(0.5), False),
    ],
)
def test_candidates_across_normalization_are_judged_as_their_models_are(norm: Any, shared: bool) -> None:
    inputs = keras.Input(SHAPE)
    x = norm()(keras.layers.Conv2D(12, 3, padding="same", name="a")(inputs))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 1, name="b", activation="relu")(x))
    original = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))
    data, pruning = dataset(), PruningSettings(across_normalization=True)
    proxy = ScoreProxy(data, SETTINGS)
    candidates = CandidateRepairs(original, proxy, pruning=pruning)
    assert candidates._shares == shared
    model = apply_parameters(original, CANDIDATES[2], pruning=pruning)
    repair = candidates.start(CANDIDATES[2])
    computed, expected = repair.outputs(data.train), model(data.normalization(data.train.images)).numpy()
    np.testing.assert_allclose(computed, expected, rtol=1e-3, atol=1e-5)
    result, alone = proxy.rung(repair, 3), ScoreProxy(data, SETTINGS)(model)
    assert replace(result, seconds=0.0) == replace(alone, seconds=0.0)


def test_no_model_is_built_where_pruning_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        built.append(args[1])
        return apply_parameters(*args, **kwargs)

    monkeypatch.setattr("objectives.score.candidate_repairs.apply_parameters", counted)
    candidates = CandidateRepairs(net(), ScoreProxy(dataset(), SETTINGS))
    for parameters in CANDIDATES:
        candidates.start(parameters)
    assert built == []


@pytest.mark.parametrize("stage", ["prune", "decompose"])
def test_a_recipe_of_one_stage_takes_the_values_of_that_stage(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters of a staged search hold those of the other stage too, which the model has behind it."""
    data, original, parameters = dataset(), net(), CANDIDATES[2]
    own = CompressionParameters(
        parameters.ratios if stage == "prune" else {}, parameters.ranks if stage == "decompose" else {}
    )
    alone = ScoreProxy(data, SETTINGS)(apply_parameters(original, own))
    proxy = ScoreProxy(data, SETTINGS)
    candidates = CandidateRepairs(original, proxy, (stage,))
    monkeypatch.setattr("objectives.score.candidate_repairs.apply_parameters", None)  # None is built
    assert replace(proxy.rung(candidates.start(parameters), 3), seconds=0.0) == replace(alone, seconds=0.0)


def test_a_model_whose_configuration_follows_the_channels_is_built_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = keras.Input(SHAPE)
    x = keras.layers.Reshape((1, 1, 12))(
        keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(12, 3, name="a")(inputs))
    )
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.Flatten()(x)))
    data = dataset()
    proxy = ScoreProxy(data, SETTINGS)
    candidates = CandidateRepairs(model, proxy)
    for ratio in (0.5, 0.25):
        parameters = CompressionParameters({"a": ratio}, {})
        result = proxy.rung(candidates.start(parameters), 3)
        alone = ScoreProxy(data, SETTINGS)(apply_parameters(model, parameters))
        assert replace(result, seconds=0.0) == replace(alone, seconds=0.0)


def test_calibration_images_change_the_weights_that_a_candidate_starts_with() -> None:
    data, original = dataset(), net()
    images = data.normalization(data.train.images)
    outputs = []
    for calibration in (None, images):
        proxy = ScoreProxy(data, SETTINGS)
        repair = CandidateRepairs(original, proxy, calibration=calibration).start(CANDIDATES[1])
        outputs.append(repair.outputs(data.train))
    original_outputs = original.predict(images, verbose=0)
    errors = [np.square(result - original_outputs).mean() for result in outputs]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("parameters", CANDIDATES[1:3])
def test_a_candidate_goes_on_from_its_state(parameters: CompressionParameters) -> None:
    data, original = dataset(), net()
    proxy = ScoreProxy(data, SETTINGS)
    candidates = CandidateRepairs(original, proxy)
    whole = proxy.rung(candidates.start(parameters), 7)
    repair = candidates.start(parameters)
    proxy.rung(repair, 3)
    state = repair.state()
    proxy.rung(candidates.start(CANDIDATES[3]), 2)
    assert replace(proxy.rung(candidates.start(parameters, state), 7), seconds=0.0) == replace(whole, seconds=0.0)


def test_a_model_with_operations_is_shared_and_one_whose_layers_know_their_channels_is_not() -> None:
    for block, shares in ((lambda x: x * 2.0, True), (lambda x: keras.layers.Reshape((2, 2, 12))(x), False)):
        inputs = keras.Input(SHAPE)
        x = block(keras.layers.Conv2D(12, 3, name="a")(inputs))
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))
        data, parameters = dataset(), CompressionParameters({"a": 0.5}, {})
        proxy = ScoreProxy(data, SETTINGS)
        candidates = CandidateRepairs(model, proxy)
        assert candidates._shares == shares
        alone = ScoreProxy(data, SETTINGS)(apply_parameters(model, parameters))
        assert replace(proxy.rung(candidates.start(parameters), 3), seconds=0.0) == replace(alone, seconds=0.0)
