"""Analytic FLOPs and parameters against TensorFlow's own counts of the model that is built."""

import numpy as np
import pytest

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from scripts.bench.objectives.profiled_flops import profiled_flops
from scripts.bench.objectives.random_candidate import random_candidate
from tests.compress.fixtures import published
from tests.objectives.cost.test_cost import NONE
from zoo.models.registry import MODEL_NAMES, build_model


def check(model, cost):
    assert profiled_flops(model) == cost.flops
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == cost.params


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_tensorflow_counts_the_same(name):
    original = build_model(name)
    model = CostModel(analyse(original))
    check(original, model.cost(NONE))
    parameters = random_candidate(model, seed=1)
    assert parameters.ratios and parameters.ranks
    check(apply_parameters(original, parameters), model.cost(parameters))


def test_the_published_resnet50():
    original = build_model("resnet50")
    parameters = CompressionParameters(published.ratios(), published.ranks())
    check(apply_parameters(original, parameters), CostModel(analyse(original)).cost(parameters))
