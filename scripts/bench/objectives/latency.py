"""Latency that a table predicts against that of models that are built.

Run from the repository's root: ``python -m scripts.bench.objectives.latency``. Writes docs/results/latency.json.
Candidates are random, every second one without ranks; all built models are timed in turn, round after round, so that
other work on the machine falls on all alike, and the first quartile of a model's passes counts, as in the table.
Spearman is the rank correlation over the candidates, that of their FLOPs for comparison.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import search  # noqa: F401  before TensorFlow, for the environment that it needs
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from objectives.cost.latency import RUNTIMES, LatencySettings, Runtime
from objectives.cost.latency_fit import measured_table
from scripts.bench.objectives.random_candidate import random_candidate
from scripts.bench.timing import timed_in_turn
from zoo.models.registry import build_model

JSON_FILE = Path(__file__).parents[3] / "docs" / "results" / "latency.json"
CASES: tuple[tuple[str, Runtime], ...] = (
    ("digits_resnet", "litert"),
    ("resnet20", "litert"),
    ("digits_resnet", "keras"),
    ("resnet20", "keras"),
)


def compared(name: str, runtime: Runtime, candidates: int, rounds: int) -> dict[str, Any]:
    """How well the table of a model of the zoo predicts its candidates."""
    original, settings = build_model(name), LatencySettings(runtime)
    start = time.perf_counter()
    table = measured_table(original, settings)
    seconds = time.perf_counter() - start
    cost = CostModel(analyse(original), table)
    drawn = [random_candidate(cost, seed) for seed in range(candidates)]
    parameters = [CompressionParameters.none()]
    parameters += [CompressionParameters(one.ratios, {}) if i % 2 else one for i, one in enumerate(drawn)]
    predicted = [cost.cost(one) for one in parameters]
    passes = [RUNTIMES[runtime](apply_parameters(original, one), settings) for one in parameters]
    latencies = timed_in_turn(passes, rounds)
    measured = np.array([latency.low for latency in latencies])
    errors = np.abs(np.array([one.latency for one in predicted]) / measured - 1)[1:]
    return {
        "model": name,
        "runtime": runtime,
        "table_seconds": round(seconds, 1),
        "original_us": round(float(measured[0]), 1),
        "original_told_us": round(predicted[0].latency, 1),
        "original_spread_us": round(latencies[0].spread, 1),
        "candidates": candidates,
        "spearman": correlation([one.latency for one in predicted[1:]], measured[1:]),
        "spearman_of_flops": correlation([one.flops for one in predicted[1:]], measured[1:]),
        "median_error": round(float(np.median(errors)), 3),
        "largest_error": round(float(errors.max()), 3),
    }


def correlation(predicted: list[float], measured: Any) -> float | None:
    """Rank correlation, None where all candidates have the same prediction."""
    return round(float(spearmanr(predicted, measured)[0]), 3) if len(set(predicted)) > 1 else None


def main() -> None:
    """Measure every case and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=24, help="per case")
    parser.add_argument("--rounds", type=int, default=30, help="of ten passes of every candidate")
    arguments = parser.parse_args()
    results = []
    for name, runtime in CASES:
        results.append(compared(name, runtime, arguments.candidates, arguments.rounds))
        print(results[-1], flush=True)
        JSON_FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
