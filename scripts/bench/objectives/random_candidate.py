"""Random candidates that fit a model, for benchmarks and tests."""

import numpy as np

from compress.parameters import CompressionParameters
from objectives.cost.cost_model import CostModel


def random_candidate(model: CostModel, seed: int) -> CompressionParameters:
    """A ratio for every group, and ranks of up to four layers that fit the channels which the ratios leave."""
    rng = np.random.default_rng(seed)
    ratios = {group.name: float(rng.choice([0.0, 0.3, 0.6, 0.9])) for group in model.graph.groups}
    kept = model.counts.kept_subgroups(ratios)
    ranks = {}
    for layer in rng.permutation([layer.layer for layer in model.graph.decomposable])[:4]:
        node = model.graph.node(layer)
        left = [model.counts.count(labels, kept) for labels in (node.inputs[0], node.output)]
        ranks[str(layer)] = (int(rng.integers(1, left[0] + 1)), int(rng.integers(1, left[1] + 1)))
    return CompressionParameters(ratios, ranks)
