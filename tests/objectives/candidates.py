"""Random candidates that fit a model."""

import numpy as np

from compress.parameters import CompressionParameters


def random_candidate(model, seed):
    rng = np.random.default_rng(seed)
    ratios = {group.name: float(rng.choice([0.0, 0.3, 0.6, 0.9])) for group in model.graph.groups}
    kept = model.counts.kept_subgroups(ratios)
    ranks = {}
    for layer in rng.permutation([layer.layer for layer in model.graph.decomposable])[:4]:
        node = model.graph.node(layer)
        left = [model.counts.count(labels, kept) for labels in (node.inputs[0], node.output)]
        ranks[str(layer)] = (int(rng.integers(1, left[0] + 1)), int(rng.integers(1, left[1] + 1)))
    return CompressionParameters(ratios, ranks)
