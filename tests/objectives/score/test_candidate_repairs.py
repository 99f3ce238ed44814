"""Candidates as weights alone against candidates that are built."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from compress.cloning.layers import layers_by_name
from compress.cloning.walk import as_functional
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters, compressed_values, prune_and_decompose
from objectives.cost.cost_model import CostModel
from objectives.score.candidate_repairs import CandidateRepairs
from objectives.score.proxy import ProxyResult, ProxySettings, ScoreProxy
from objectives.score.repair import Repair
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
    parameters = random_candidate(CostModel(graph), seed=0)
    model = prune_and_decompose(original, parameters.ratios, parameters.ranks)
    values = compressed_values(original, graph, parameters.ratios, parameters.ranks)
    layers = layers_by_name(model)
    assert sum(len(result) for result in values.values()) == len(model.weights)
    for layer, result in values.items():
        for attribute, value in result.items():
            np.testing.assert_array_equal(value, np.asarray(getattr(layers[layer], attribute)))


@cache
def net() -> Any:
    """The model of most tests, which none modifies: candidates of one model have layers of the same names."""
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


@pytest.fixture(scope="module")
def alone() -> Callable[[keras.Model], ProxyResult]:
    """Judges models that are built: the result, without its time."""
    proxy = ScoreProxy(dataset(), SETTINGS)
    return lambda model: replace(proxy(model), seconds=0.0)


@pytest.fixture(scope="module")
def shared() -> tuple[ScoreProxy, CandidateRepairs]:
    """A proxy of ``net`` and its candidates, pruned and then decomposed."""
    proxy = ScoreProxy(dataset(), SETTINGS)
    return proxy, CandidateRepairs(net(), proxy)


def judged(proxy: ScoreProxy, repair: Repair, steps: int = 3) -> ProxyResult:
    """The result of a rung, without its time."""
    return replace(proxy.rung(repair, steps), seconds=0.0)


def test_every_candidate_is_judged_as_its_model_is(shared: Any, alone: Any) -> None:
    proxy, candidates = shared
    for parameters in CANDIDATES:
        result = judged(proxy, candidates.start(parameters))
        assert result == alone(apply_parameters(net(), parameters)), parameters


def test_every_candidate_that_is_decomposed_first_is_judged_as_its_model_is(alone: Any) -> None:
    recipe, proxy = ("decompose", "prune"), ScoreProxy(dataset(), SETTINGS)
    candidates = CandidateRepairs(net(), proxy, recipe)
    for parameters in CANDIDATES:
        result = judged(proxy, candidates.start(parameters))
        assert result == alone(apply_parameters(net(), parameters, recipe)), parameters


@pytest.mark.parametrize(
    ("norm", "shares"),
    [
        (keras.layers.LayerNormalization, True),
        (lambda: keras.layers.LayerNormalization(scale=False, center=False), True),
        (lambda: keras.layers.GroupNormalization(1, scale=False), True),
        (keras.layers.RMSNormalization, False),
        (lambda: LayerScale(0.5), False),
    ],
)
def test_candidates_across_normalization_are_judged_as_their_models_are(norm: Any, shares: bool, alone: Any) -> None:
    inputs = keras.Input(SHAPE)
    x = norm()(keras.layers.Conv2D(12, 3, padding="same", name="a")(inputs))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 1, name="b", activation="relu")(x))
    original = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))
    data, pruning = dataset(), PruningSettings(across_normalization=True)
    proxy = ScoreProxy(data, SETTINGS)
    candidates = CandidateRepairs(original, proxy, pruning=pruning)
    assert candidates._shares == shares
    model = apply_parameters(original, CANDIDATES[2], pruning=pruning)
    repair = candidates.start(CANDIDATES[2])
    computed, expected = repair.outputs(data.train), model(data.normalization(data.train.images)).numpy()
    np.testing.assert_allclose(computed, expected, rtol=1e-3, atol=1e-5)
    assert judged(proxy, repair) == alone(model)


@pytest.mark.parametrize(
    ("middle", "shares"),
    [
        (keras.layers.LayerNormalization, True),
        (lambda: keras.layers.GroupNormalization(1), True),
        (lambda: keras.layers.GroupNormalization(3), False),
        (lambda: keras.layers.Reshape((SHAPE[1], SHAPE[0], 12)), True),
        (lambda: keras.layers.DepthwiseConv2D(3, padding="same", dilation_rate=2), False),
        (lambda: keras.layers.Normalization(mean=[0.5] * 12, variance=[2.0] * 12), False),
    ],
)
def test_candidates_with_channels_that_stay_whole_are_judged_as_their_models_are(
    middle: Any, shares: bool, alone: Any
) -> None:
    """Layers in the middle that keep their channels, or whose code has to know how many those are."""
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(12, 3, padding="same", name="a")(inputs)
    x = keras.layers.Conv2D(12, 3, padding="same", name="b")(middle()(keras.layers.Conv2D(12, 1, name="c")(x)))
    x = keras.layers.GlobalAveragePooling2D()(x)
    original = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))
    proxy = ScoreProxy(dataset(), SETTINGS)
    candidates = CandidateRepairs(original, proxy)
    assert candidates._shares == shares
    for parameters in CANDIDATES[:3]:
        assert judged(proxy, candidates.start(parameters)) == alone(apply_parameters(original, parameters)), parameters


def test_a_constraint_holds_for_whole_kernels_alone(alone: Any) -> None:
    """Factors of a kernel that may not be negative may be; so they may be in the model that is built of them."""
    original = keras.models.clone_model(net())
    for name in ("a", "b"):
        original.get_layer(name).kernel_constraint = keras.constraints.NonNeg()
        original.get_layer(name).kernel.assign(np.abs(original.get_layer(name).kernel))
    proxy = ScoreProxy(dataset(), SETTINGS)
    candidates = CandidateRepairs(original, proxy)
    assert candidates._shares
    for parameters in CANDIDATES[1:4]:
        assert judged(proxy, candidates.start(parameters)) == alone(apply_parameters(original, parameters)), parameters


def test_no_model_is_built_where_pruning_comes_first(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        built.append(args[1])
        return apply_parameters(*args, **kwargs)

    monkeypatch.setattr("objectives.score.candidate_repairs.apply_parameters", counted)
    for parameters in CANDIDATES:
        shared[1].start(parameters)
    assert built == []


@pytest.mark.parametrize("stage", ["prune", "decompose"])
def test_a_recipe_of_one_stage_takes_the_values_of_that_stage(
    stage: Any, alone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters of a staged search hold those of the other stage too, which the model has behind it."""
    original, parameters = net(), CANDIDATES[2]
    own = CompressionParameters(
        parameters.ratios if stage == "prune" else {}, parameters.ranks if stage == "decompose" else {}
    )
    proxy = ScoreProxy(dataset(), SETTINGS)
    candidates = CandidateRepairs(original, proxy, (stage,))
    monkeypatch.setattr("objectives.score.candidate_repairs.apply_parameters", None)  # None is built
    assert judged(proxy, candidates.start(parameters)) == alone(apply_parameters(original, own))


def test_a_model_whose_configuration_follows_the_channels_is_built_every_time(alone: Any) -> None:
    inputs = keras.Input(SHAPE)
    x = keras.layers.Reshape((12, 1))(
        keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(12, 3, name="a")(inputs))
    )
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.Flatten()(x)))
    proxy = ScoreProxy(dataset(), SETTINGS)
    candidates = CandidateRepairs(model, proxy)
    for ratio in (0.5, 0.25):
        parameters = CompressionParameters({"a": ratio}, {})
        result = judged(proxy, candidates.start(parameters))
        assert result == alone(apply_parameters(model, parameters))


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


def test_a_model_with_operations_is_shared_and_one_whose_layers_know_their_channels_is_not(alone: Any) -> None:
    for block, shares in (
        (lambda x: x * 2.0, True),
        (lambda x: keras.layers.Reshape((4, 1, 12))(x), True),
        (lambda x: keras.layers.Reshape((2, 1, 24))(x), False),
    ):
        inputs = keras.Input(SHAPE)
        x = block(keras.layers.Conv2D(12, 3, name="a")(inputs))
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))
        parameters, proxy = CompressionParameters({"a": 0.5}, {}), ScoreProxy(dataset(), SETTINGS)
        candidates = CandidateRepairs(model, proxy)
        assert candidates._shares == shares
        assert judged(proxy, candidates.start(parameters)) == alone(apply_parameters(model, parameters))
