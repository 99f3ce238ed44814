"""Figures of a model for the comparison table."""

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from objectives.cost.cost_model import CostModel
from search.pipeline.measuring import measure
from tests.search.fixtures.nets import model
from tests.search.fixtures.runs import config


def test_what_the_budget_limits_is_measured_and_nothing_else(tmp_path):
    original = model("tiny")
    cost = CostModel(analyse(original)).cost(CompressionParameters.none())
    limited = measure(original, "original", config=config(tmp_path, budget={"flops": 0.5, "memory": 0.8}))
    assert (limited.label, limited.flops, limited.params) == ("original", cost.flops, cost.params)
    assert (limited.memory, limited.latency, dict(limited.figures), dict(limited.others)) == (cost.memory, None, {}, {})
    assert cost.memory > 0
    assert measure(original, "original", config=config(tmp_path)).memory is None
    assert measure(original, "original").memory is None
