"""A table measured by a synthetic law predicts that law."""

from functools import cache

import keras
import numpy as np
import pytest

from compress.errors import ModelError, RunError
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from objectives.cost.latency import LatencySettings
from objectives.cost.latency_fit import measured_table, untimed
from objectives.cost.quantities.standard import LATENCY
from scripts.bench.objectives.random_candidate import random_candidate
from tests.objectives.cost import synthetic_latency as synthetic
from tests.objectives.thin_models import thin_model
from tests.search.fixtures import nets

pytestmark = pytest.mark.usefixtures("factors_of_ones")

NONE = CompressionParameters.none()
NETS = ("chain", "tiny", "digits_resnet")


@cache
def model(name):
    return thin_model(name) if name == "digits_resnet" else nets.model(name)


@cache
def table(name):
    return measured_table(model(name), LatencySettings(), synthetic.microseconds)


@cache
def cost(name):
    return CostModel(analyse(model(name)), table(name))


@pytest.mark.parametrize("name", NETS)
def test_overhead_and_scale_are_found(name):
    # What has no law is a part of the overhead; each small model takes a call more than its layer.
    assert (table(name).overhead, table(name).scale) == pytest.approx((synthetic.OVERHEAD, synthetic.SCALE), rel=1e-6)
    assert table(name).original == synthetic.microseconds(model(name))
    assert cost(name).cost(NONE).latency == pytest.approx(synthetic.microseconds(model(name)), rel=1e-6)


@pytest.mark.parametrize("recipe", [("prune", "decompose"), ("decompose", "prune")], ids="-".join)
@pytest.mark.parametrize("name", NETS)
def test_candidates_take_what_the_built_models_do(name, recipe):
    for seed in range(2):
        parameters = random_candidate(cost(name), seed)
        built = apply_parameters(model(name), parameters, recipe)
        assert cost(name).cost(parameters).latency == pytest.approx(synthetic.microseconds(built), rel=1e-6)
        # The table holds for what a model was compressed to as well.
        compressed = CostModel(analyse(built), table(name)).cost(NONE)
        assert compressed.latency == pytest.approx(synthetic.microseconds(built), rel=1e-6)


def test_candidates_across_normalization_take_what_the_built_models_do():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.LayerNormalization()(keras.layers.Conv2D(8, 3, name="first")(inputs))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3)(x))
    own, parameters = keras.Model(inputs, keras.layers.Dense(2)(x)), CompressionParameters({"first": 0.5}, {})
    measured = measured_table(own, LatencySettings(), synthetic.microseconds, across_normalization=True)
    built = apply_parameters(own, parameters, pruning=PruningSettings(across_normalization=True))
    predicted = CostModel(analyse(own, across_normalization=True), measured).cost(parameters)
    assert predicted.latency == pytest.approx(synthetic.microseconds(built), rel=1e-6)


def test_many_candidates_at_once():
    costs = cost("digits_resnet")
    candidates = [random_candidate(costs, seed) for seed in range(20)]
    kept, ranks = (np.concatenate(arrays) for arrays in zip(*map(costs.candidate, candidates), strict=True))
    assert costs.latency.evaluate(kept, ranks) == pytest.approx([costs.cost(one).latency for one in candidates])


def test_layers_and_overhead_add_up():
    costs = cost("digits_resnet")
    parameters = random_candidate(costs, 1)
    layers = sum(layer.latency for layer in costs.layer_costs(parameters).values())
    assert costs.cost(parameters).latency == pytest.approx(synthetic.OVERHEAD + layers)


def test_fewer_channels_or_ranks_never_take_longer():
    rng = np.random.default_rng(0)
    # Of noise, so that no coefficient is what a law gives.
    measured = measured_table(model("chain"), LatencySettings(), lambda built: float(rng.uniform(5, 50)))
    noisy = CostModel(analyse(model("chain")), measured)
    sizes, layers = noisy.counts.sizes, len(noisy.graph.decomposable)
    large = rng.integers(1, sizes + 1, (50, sizes.size)), rng.integers(1, 17, (50, layers, 2))
    small = [rng.integers(1, array + 1) for array in large]
    assert np.all(noisy.latency.evaluate(*small) <= noisy.latency.evaluate(*large))


def test_a_table_of_another_model_is_refused():
    with pytest.raises(ModelError, match="expected a latency table of this model, received one without the law of a"):
        CostModel(analyse(model("digits_resnet")), table("chain"))


def test_without_a_table_there_is_no_latency():
    costs = CostModel(analyse(nets.model("tiny")))
    assert costs.cost(NONE).latency is None
    assert {layer.latency for layer in costs.layer_costs(NONE).values()} == {None}
    with pytest.raises(RunError, match="expected costs with 'latency', .* give CostModel a table"):
        LATENCY.of(costs.cost(NONE))


def test_layers_without_a_law_are_named():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2DTranspose(4, 3)(keras.layers.Conv2D(4, 3)(inputs))
    assert untimed(analyse(keras.Model(inputs, x))) == ("Conv2DTranspose",)


def test_keras_calls_normalizations_one_by_one():
    inputs, counts = keras.Input((8, 8, 3)), {}
    normalized = keras.Model(inputs, keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 1)(inputs)))
    for runtime in ("litert", "keras"):
        measured = measured_table(normalized, LatencySettings(runtime), synthetic.microseconds)
        counts[runtime] = sum(geometry.kind == "BatchNormalization" for geometry, _ in measured.laws)
    assert counts == {"litert": 0, "keras": 1}
