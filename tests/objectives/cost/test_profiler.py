"""Analytic FLOPs and parameters against TensorFlow's own counts of the model that is built."""

import numpy as np
import pytest

from compress.graph.analysis import analyse
from compress.model_files.files import file_size, save_model
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from scripts.bench.objectives.profiled_flops import profiled_flops
from scripts.bench.objectives.random_candidate import random_candidate
from tests.compress.fixtures import published
from tests.objectives.cost.test_cost import NONE
from tests.objectives.thin_models import REPEATED, thin_model
from tests.zoo.originals import analysed, original
from zoo.models.registry import MODEL_NAMES

pytestmark = pytest.mark.usefixtures("factors_of_ones")


def check(model, cost):
    assert profiled_flops(model) == cost.flops
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == cost.params


@pytest.mark.parametrize("name", [name for name in MODEL_NAMES if name not in REPEATED])
def test_tensorflow_counts_the_same(name):
    whole = thin_model(name, 4)
    model = CostModel(analyse(whole))
    check(whole, model.cost(NONE))
    parameters = random_candidate(model, seed=1)
    assert parameters.ratios and parameters.ranks
    check(apply_parameters(whole, parameters), model.cost(parameters))


def test_the_published_resnet50(tmp_path):
    """NPTK-Search's ratios and ranks: what they cost, and 9.54 MB as .h5."""
    parameters = CompressionParameters(published.ratios(), published.ranks())
    smaller = apply_parameters(original("resnet50"), parameters)
    check(smaller, CostModel(analysed("resnet50")).cost(parameters))
    assert file_size(save_model(smaller, tmp_path / "model.h5")) / 1e6 == pytest.approx(9.54, rel=0.02)
