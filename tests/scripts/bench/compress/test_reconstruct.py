import json

import numpy as np
import pytest

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from objectives.cost.cost_model import CostModel
from scripts.bench.compress.reconstruct import ROOT, measure, uniform_ratios
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized
from zoo.data.dataset import Normalization, Split

KEYS = {"ratio", "flops_left", "original", "without", "without_recalibrated", "with", "with_recalibrated"}
SIZES = {"images", "test_images", "layers", "seconds", "cpu_seconds"}


@pytest.mark.parametrize("fraction", [0.35, 0.7])
def test_uniform_ratios_just_meet_the_budget(fraction):
    graph = analyse(models.residual())
    cost = CostModel(graph)
    full = cost.cost(CompressionParameters.none()).flops
    ratios = uniform_ratios(graph, fraction)
    assert len(set(ratios.values())) == 1
    assert cost.cost(CompressionParameters(ratios, {})).flops <= fraction * full
    less = {name: ratio - 1e-3 for name, ratio in ratios.items()}
    assert cost.cost(CompressionParameters(less, {})).flops > fraction * full


def test_all_figures():
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8), rng.integers(0, 3, 40))
    norm = Normalization(255.0, (0.5,) * 3, (0.25,) * 3)
    figures = measure(randomized(models.residual()), split, split, norm, fraction=0.5, images=16)
    assert set(figures) == KEYS | SIZES
    assert (figures["images"], figures["test_images"]) == (16, 40)


def test_the_committed_figures():
    figures = json.loads((ROOT / "docs" / "results" / "reconstruct.json").read_text(encoding="utf-8"))
    assert set(figures) == KEYS | SIZES
    assert figures["flops_left"] <= 0.35
    assert figures["with"] > figures["without"] and figures["with_recalibrated"] > figures["without_recalibrated"]
