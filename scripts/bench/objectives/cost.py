"""Speed of the analytic cost, and its largest disagreement with models that are built.

Run from the repository's root: ``python -m scripts.bench.objectives.cost``. Writes
docs/results/cost.json. Candidates are random;
the speed is that of ResNet50 in seconds of one core, the disagreement that of all models of the zoo in turn.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: the figure is per core

import numpy as np
from threadpoolctl import threadpool_limits

import search  # noqa: F401  before TensorFlow, for the environment that it needs
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from scripts.bench.objectives.random_candidate import random_candidate
from zoo.models.registry import CLASSIFIERS, build_model

JSON_FILE = Path(__file__).parents[3] / "docs" / "results" / "cost.json"
NONE = CompressionParameters.none()


def candidates_per_second(candidates: int, runs: int) -> float:
    """Median over runs of one call for so many candidates of ResNet50, all its groups and all its layers."""
    model = CostModel(analyse(build_model("resnet50")))
    rng = np.random.default_rng(0)
    kept = rng.integers(1, model.counts.sizes + 1, (candidates, model.counts.sizes.size))
    ranks = rng.integers(1, 65, (candidates, len(model.graph.decomposable), 2))
    seconds = []
    with threadpool_limits(1):
        for _ in range(runs):
            start = time.process_time()
            model.evaluate(kept, ranks)
            seconds.append(time.process_time() - start)
    return candidates / float(np.median(seconds))


def disagreement(original: Any, model: CostModel, parameters: CompressionParameters) -> int:
    """Largest difference between what is predicted and what the built model has, in any figure, memory included."""
    predicted, built = model.cost(parameters), apply_parameters(original, parameters)
    trainable = sum(int(np.prod(weight.shape)) for weight in built.trainable_weights)
    actual = CostModel(analyse(built)).cost(NONE)
    pairs = (
        (predicted.flops, actual.flops),
        (predicted.params, actual.params),
        (predicted.params, trainable),
        (predicted.bytes, 4 * built.count_params()),
        (predicted.macs, actual.macs),
        (predicted.memory, actual.memory),
    )
    return max(abs(first - second) for first, second in pairs)


def main() -> None:
    """Measure both and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--built", type=int, default=1000, help="candidates that are built")
    built = parser.parse_args().built
    originals = {name: build_model(name) for name in CLASSIFIERS}
    models = {name: CostModel(analyse(original)) for name, original in originals.items()}
    worst = 0
    for index in range(built):
        name = CLASSIFIERS[index % len(CLASSIFIERS)]
        worst = max(worst, disagreement(originals[name], models[name], random_candidate(models[name], seed=index)))
    result = {"candidates_per_second": round(candidates_per_second(100_000, 9)), "max_error": worst, "built": built}
    JSON_FILE.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(result)


if __name__ == "__main__":
    main()
