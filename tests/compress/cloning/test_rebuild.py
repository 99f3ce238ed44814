"""Models that are rebuilt from compiled ones."""

import keras
import pytest
from keras import ops

from compress.cloning.rebuild import copy_model
from compress.decomposition.tucker import decompose
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from compress.recipe import apply_parameters
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized
from tests.compress.fixtures.oracles import assert_same_outputs


def squared(wanted, got):
    return ops.mean((wanted - got) ** 2)


class Squared(keras.losses.Loss):
    def call(self, wanted, got):
        return ops.mean((wanted - got) ** 2, axis=-1)


class Error(keras.metrics.MeanMetricWrapper):
    def __init__(self):
        super().__init__(squared, name="error")


COMPILED = {
    "by names": {"loss": "mse", "metrics": ["mae"]},
    "own function": {"loss": squared, "metrics": [squared]},
    "own loss": {"loss": Squared()},
    "own metric": {"loss": "mse", "metrics": [Error()]},
}
WAYS = {
    "copy": copy_model,
    "prune": lambda model: prune(model, {"conv1": 0.0}),
    "decompose": lambda model: decompose(model, {"conv2": (8, 6)}),
    "recipe": lambda model: apply_parameters(model, CompressionParameters({"conv1": 0.0}, {})),
    "other recipe": lambda model: apply_parameters(model, CompressionParameters.none(), ("decompose", "prune")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", COMPILED)
def test_models_from_compiled_ones_are_not_compiled(how, way):
    model = randomized(models.chain())
    model.compile("adam", **COMPILED[how])
    made = WAYS[way](model)
    assert not made.compiled and model.compiled
    assert made.name == model.name
    assert_same_outputs(made, model)
