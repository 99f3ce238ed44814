"""Random candidates that fit a model."""

import numpy as np

from compress.parameters import CompressionParameters


def random_candidate(model, seed):
    rng = np.random.default_rng(seed)
    ratios = {group.name: float(rng.choice([0.0, 0.3, 0.6, 0.9])) for group in model.graph.groups}
    kept = model.counts.kept_blocks(ratios)
    ranks = {}
    for layer in rng.permutation([layer.layer for layer in model.graph.decomposable])[:4]:
        site = model.graph.site(layer)
        left = [model.counts.count(slots, kept) for slots in (site.inputs[0], site.output)]
        ranks[str(layer)] = (int(rng.integers(1, left[0] + 1)), int(rng.integers(1, left[1] + 1)))
    return CompressionParameters(ratios, ranks)
