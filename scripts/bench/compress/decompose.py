"""Measure Tucker-2 on one core: TensorLy's partial_tucker layer by layer against tuckprune's; kernels and whole trials.

python -m scripts.bench.compress.decompose [--trained resnet20_cifar10.keras --data data/cifar10] [--out FILE]

The images are a folder with a train and a test part. Writes docs/results/decompose.json unless --out says otherwise.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras
import numpy as np
import tensorflow as tf
from tensorly.decomposition import partial_tucker
from threadpoolctl import threadpool_limits

from compress.cloning.layers import layers_by_name
from compress.decomposition.factored_layer import replace_layers
from compress.decomposition.kernel_bases import Array, BasesCache, KernelBases
from compress.decomposition.tucker import tucker2, tucker_chain
from compress.graph.analysis import analyse
from compress.graph.group import Ranks
from compress.parameter_files.files import read_parameters
from compress.parameters import DEFAULT_RECIPE, CompressionParameters, Stage
from compress.pruning.pruning import prune
from compress.recipe import apply_parameters
from compress.recommend.recommend import recommend_ranks
from scripts.bench.compress.reconstruct import NORMALIZATION, before_and_after
from zoo.data.dataset import Split
from zoo.data.sources.folder import folder
from zoo.models.registry import build_model

ROOT = Path(__file__).parents[3]
PUBLISHED = [ROOT / "tests" / "data" / name for name in ("resnet50_pruning.txt", "resnet50_ranks.txt")]
REPEATS = 3
CALIBRATIONS = (0.3, 0.5, 0.7)

Factors = tuple[Array, Array, Array]
Kernel = tuple[Array, tuple[int, int]]
Method = Callable[[Array, tuple[int, int]], Factors]


@dataclass(frozen=True)
class MethodFigures:
    """One method on one set of kernels; errors are |approximation - kernel| / |kernel|."""

    cpu_seconds: float
    max_error: float
    mean_error: float
    max_error_over_partial_tucker: float
    mean_error_over_partial_tucker: float


@dataclass(frozen=True)
class TrialFigures:
    """Seconds from parameters to a model: median, and the least and the most, of several runs."""

    seconds: float
    least: float
    most: float
    cpu_seconds: float


def published_parameters() -> CompressionParameters:
    """Ratios and ranks that NPTK published for ResNet50."""
    return read_parameters(PUBLISHED).parameters


def tensorly_factors(kernel: Array, ranks: tuple[int, int]) -> Factors:
    """Tucker-2 by TensorLy."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to compute SVD with n_eigenvecs", category=UserWarning)
        (core, (u_in, u_out)), _ = partial_tucker(
            np.asarray(kernel, dtype=np.float64), rank=list(ranks), modes=[2, 3], init="svd", random_state=0
        )
    return u_in, core, u_out


def hosvd_factors(kernel: Array, ranks: tuple[int, int]) -> Factors:
    """Truncated higher-order SVD: the factors with which HOOI starts."""
    bases = KernelBases.of(kernel)
    u_in, u_out = bases.u_in[:, : ranks[0]], bases.u_out[:, : ranks[1]]
    return u_in, np.matmul(u_in.T, kernel) @ u_out, u_out


def compare_kernels(kernels: Sequence[Kernel]) -> dict[str, MethodFigures]:
    """Every method on the same kernels; ``hooi, bases kept`` has decomposed each of them before."""
    cache = BasesCache()
    methods: dict[str, Method] = {
        "partial_tucker": tensorly_factors,
        "hosvd": hosvd_factors,
        "hooi": lambda kernel, ranks: tucker2(kernel, *ranks, cache),
        "hooi, bases kept": lambda kernel, ranks: tucker2(kernel, *ranks, cache),
    }
    seconds, errors = {}, {}
    for name, method in methods.items():
        started = time.process_time()
        factors = [method(*kernel) for kernel in kernels]
        seconds[name] = time.process_time() - started
        errors[name] = np.array([_error(kernel, factor) for (kernel, _), factor in zip(kernels, factors, strict=True)])
    reference = errors["partial_tucker"]
    return {name: _figures(seconds[name], errors[name], errors[name] / reference) for name in methods}


def _error(kernel: Array, factors: Factors) -> float:
    u_in, core, u_out = (np.asarray(factor, dtype=np.float64) for factor in factors)
    return float(np.linalg.norm(np.matmul(u_in, core) @ u_out.T - kernel) / np.linalg.norm(kernel))


def _figures(seconds: float, errors: Array, ratios: Array) -> MethodFigures:
    figures = (seconds, errors.max(), errors.mean(), ratios.max(), ratios.mean())
    return MethodFigures(*(round(float(figure), 5) for figure in figures))


def kernels_of(model: Any, ranks: Ranks) -> list[Kernel]:
    """The kernels that these ranks are for."""
    layers = layers_by_name(model)
    return [(np.asarray(layers[name].kernel), pair) for name, pair in ranks.items()]


def straightforward(model: Any, parameters: CompressionParameters) -> Any:
    """One stage after the other, two models built, partial_tucker for every layer."""
    pruned = prune(model, parameters.ratios)
    analyse(pruned)
    return decomposed(pruned, parameters.ranks, tensorly_factors)


def decomposed(model: Any, ranks: Ranks, method: Method) -> Any:
    """``compress.tucker.decompose`` with the factors of another method."""
    layers = layers_by_name(model)

    def kernels(name: str, kernel: Array) -> Factors:
        u_in, core, u_out = method(kernel, ranks[name])
        return u_in[None, None], core, u_out.T[None, None]

    return replace_layers(model, {name: tucker_chain(layers[name], ranks[name]) for name in ranks}, kernels)


def others(parameters: CompressionParameters, count: int) -> list[CompressionParameters]:
    """Neighbours of the parameters: a random third of the ratios one grid step lower, so that all ranks still fit."""
    generator = np.random.default_rng(0)
    candidates = []
    for _ in range(count):
        lower = {name: generator.random() < 1 / 3 for name in parameters.ratios}
        ratios = {name: max(0.0, round(ratio - 0.1 * lower[name], 1)) for name, ratio in parameters.ratios.items()}
        candidates.append(CompressionParameters(ratios, parameters.ranks))
    return candidates


def compare_trials(model: Any, parameters: CompressionParameters, repeats: int = REPEATS) -> dict[str, TrialFigures]:
    """Trials side by side: every repetition runs each kind once, so that all meet the same load of the machine.

    Kinds: ``straightforward``; ``same``, the parameters again, bases kept; ``other``, ratios never seen before;
    ``decompose_first`` and its straightforward counterpart, where the whole kernels' bases are kept. The first trial of
    a process is reported alone.
    """
    cache = BasesCache()
    first = _timed(lambda: apply_parameters(model, parameters, cache=cache))
    decompose_first: tuple[Stage, ...] = DEFAULT_RECIPE[::-1]
    apply_parameters(model, parameters, decompose_first, cache=cache)
    times: dict[str, list[tuple[float, float]]] = {"first": [first]}
    for neighbour in others(parameters, repeats):
        for kind, run in {
            "straightforward": lambda: straightforward(model, parameters),
            "same": lambda: apply_parameters(model, parameters, cache=cache),
            "other": lambda neighbour=neighbour: apply_parameters(model, neighbour, cache=cache),
            "decompose_first": lambda: apply_parameters(model, parameters, decompose_first, cache=cache),
        }.items():
            times.setdefault(kind, []).append(_timed(run))
    return {kind: _trial_figures(runs) for kind, runs in times.items()}


def _timed(run: Callable[[], Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def _trial_figures(runs: Sequence[tuple[float, float]]) -> TrialFigures:
    wall, cpu = [run[0] for run in runs], [run[1] for run in runs]
    figures = (statistics.median(wall), min(wall), max(wall), statistics.median(cpu))
    return TrialFigures(*(round(figure, 3) for figure in figures))


def compare_accuracy(model: Any, train: Split, test: Split) -> list[dict[str, Any]]:
    """Accuracy at VBMF's ranks, calibrated: before and after batch normalization statistics are estimated again."""
    rows = []
    for calibration in CALIBRATIONS:
        ranks = recommend_ranks(model, calibration).ranks
        row: dict[str, Any] = {"calibration": calibration, "layers": len(ranks)}
        for name, method in {"hosvd": hosvd_factors, "hooi": lambda kernel, pair: tucker2(kernel, *pair)}.items():
            row[name] = before_and_after(decomposed(model, ranks, method), train, test, NORMALIZATION)
        rows.append(row)
    return rows


def measure(trained: Path | None, data: Path | None) -> dict[str, Any]:
    """All figures, as JSON values."""
    model, parameters = build_model("resnet50"), published_parameters()
    trials = compare_trials(model, parameters)
    sets = {
        "ResNet50, pruned, untrained": kernels_of(prune(model, parameters.ratios), parameters.ranks),
        "ResNet50, whole, untrained": kernels_of(model, parameters.ranks),
    }
    accuracies: list[dict[str, Any]] = []
    if trained is not None:
        own = keras.models.load_model(trained)
        sets[f"{trained.stem}, trained"] = kernels_of(own, recommend_ranks(own).ranks)
        images = None if data is None else folder(data)
        if images is not None and images.test is not None:
            accuracies = compare_accuracy(own, images.train, images.test)
    ratios = {kind: trials["straightforward"].cpu_seconds / trials[kind].cpu_seconds for kind in ("same", "other")}
    return {
        "trials": {kind: asdict(figures) for kind, figures in trials.items()},
        "speedup": {kind: round(ratio, 2) for kind, ratio in ratios.items()},
        "kernels": {
            name: {"layers": len(kernels), **{k: asdict(v) for k, v in compare_kernels(kernels).items()}}
            for name, kernels in sets.items()
        },
        "accuracy": accuracies,
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", type=Path, help="a trained .keras model, for errors on trained kernels")
    parser.add_argument("--data", type=Path, help="that model's images, for its accuracy")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "decompose.json")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with threadpool_limits(1):
        figures = measure(arguments.trained, arguments.data)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
