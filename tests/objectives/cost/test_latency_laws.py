"""A table measured by a synthetic law predicts that law."""

import keras
import numpy as np
import pytest

from compress.errors import ModelError
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from objectives.cost.latency import LatencySettings
from objectives.cost.latency_fit import measured_table, untimed
from scripts.bench.objectives.random_candidate import random_candidate
from tests.objectives.cost import synthetic_latency as synthetic
from tests.search.fixtures import nets

pytestmark = pytest.mark.usefixtures("factors_of_ones")

NONE = CompressionParameters.none()
NETS = ("chain", "tiny", "digits_resnet")


def cost(name):
    return CostModel(analyse(nets.model(name)), synthetic.table(name))


@pytest.mark.parametrize("name", NETS)
def test_overhead_and_scale_are_found(name):
    table = synthetic.table(name)
    # What has no law is a part of the overhead; each small model takes a call more than its layer.
    assert (table.overhead, table.scale) == pytest.approx((synthetic.OVERHEAD, synthetic.SCALE), rel=1e-6)
    assert table.original == synthetic.microseconds(nets.model(name))
    assert cost(name).cost(NONE).latency == pytest.approx(synthetic.microseconds(nets.model(name)), rel=1e-6)


@pytest.mark.parametrize("recipe", [("prune", "decompose"), ("decompose", "prune")], ids="-".join)
@pytest.mark.parametrize("name", NETS)
def test_candidates_take_what_the_built_models_do(name, recipe):
    for seed in range(3):
        parameters = random_candidate(cost(name), seed)
        built = apply_parameters(nets.model(name), parameters, recipe)
        assert cost(name).cost(parameters).latency == pytest.approx(synthetic.microseconds(built), rel=1e-6)
        # The table holds for what a model was compressed to as well.
        compressed = CostModel(analyse(built), synthetic.table(name)).cost(NONE)
        assert compressed.latency == pytest.approx(synthetic.microseconds(built), rel=1e-6)


def test_candidates_across_normalization_take_what_the_built_models_do():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.LayerNormalization()(keras.layers.Conv2D(8, 3, name="first")(inputs))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3)(x))
    model, parameters = keras.Model(inputs, keras.layers.Dense(2)(x)), CompressionParameters({"first": 0.5}, {})
    table = measured_table(model, LatencySettings(), synthetic.microseconds, across_normalization=True)
    built = apply_parameters(model, parameters, pruning=PruningSettings(across_normalization=True))
    predicted = CostModel(analyse(model, across_normalization=True), table).cost(parameters)
    assert predicted.latency == pytest.approx(synthetic.microseconds(built), rel=1e-6)


def test_many_candidates_at_once():
    model = cost("digits_resnet")
    candidates = [random_candidate(model, seed) for seed in range(20)]
    kept, ranks = (np.concatenate(arrays) for arrays in zip(*map(model.candidate, candidates), strict=True))
    assert model.latency.evaluate(kept, ranks) == pytest.approx([model.cost(one).latency for one in candidates])


def test_layers_and_overhead_add_up():
    model = cost("digits_resnet")
    parameters = random_candidate(model, 1)
    layers = sum(layer.latency for layer in model.layer_costs(parameters).values())
    assert model.cost(parameters).latency == pytest.approx(synthetic.OVERHEAD + layers)


def test_fewer_channels_or_ranks_never_take_longer():
    rng = np.random.default_rng(0)
    # Of noise, so that no coefficient is what a law gives.
    table = measured_table(nets.model("tiny"), LatencySettings(), lambda model: float(rng.uniform(5, 50)))
    model = CostModel(analyse(nets.model("tiny")), table)
    sizes, layers = model.counts.sizes, len(model.graph.decomposable)
    large = rng.integers(1, sizes + 1, (50, sizes.size)), rng.integers(1, 17, (50, layers, 2))
    small = [rng.integers(1, array + 1) for array in large]
    assert np.all(model.latency.evaluate(*small) <= model.latency.evaluate(*large))


def test_a_table_of_another_model_is_refused():
    with pytest.raises(ModelError, match="expected a latency table of this model, received one without the law of a"):
        CostModel(analyse(nets.model("digits_resnet")), synthetic.table("chain"))


def test_without_a_table_there_is_no_latency():
    assert CostModel(analyse(nets.model("tiny"))).cost(NONE).latency == 0.0


def test_layers_without_a_law_are_named():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2DTranspose(4, 3)(keras.layers.Conv2D(4, 3)(inputs))
    assert untimed(analyse(keras.Model(inputs, x))) == ("Conv2DTranspose",)


def test_keras_calls_normalizations_one_by_one():
    counts = {}
    for runtime in ("litert", "keras"):
        table = measured_table(nets.model("tiny"), LatencySettings(runtime), synthetic.microseconds)
        counts[runtime] = sum(geometry.kind == "BatchNormalization" for geometry, _ in table.laws)
    assert counts == {"litert": 0, "keras": 1}
