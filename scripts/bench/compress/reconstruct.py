"""Measure least-squares reconstruction: accuracy of a uniformly pruned model before any fine-tuning.

python -m scripts.bench.compress.reconstruct resnet20_cifar10.keras data/cifar10 --out docs/results/reconstruct.json

The images are a folder as zoo/data/folder.py reads it, with a train and a test part.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras
import numpy as np

from compress.errors import DataError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Ratios
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from compress.pruning.reconstruction import prune_and_reconstruct
from objectives.budget.budget import bisect
from objectives.cost.cost_model import CostModel
from objectives.score.proxy import ProxySettings, ScoreProxy
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.data.sources.folder import folder
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.metric import ACCURACY

ROOT = Path(__file__).parents[3]
SETTINGS = ProxySettings(recalibration_images=1024, steps=0, batch_size=128)
NORMALIZATION = Normalization(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""As configs/resnet20_cifar10.yaml has it."""


def uniform_ratios(graph: ChannelGraph, fraction: float) -> Ratios:
    """The smallest equal ratio of all groups at which at most this fraction of the FLOPs is left."""
    cost = CostModel(graph)
    budget = fraction * cost.cost(CompressionParameters.none()).flops

    def ratios(ratio: float) -> dict[str, float]:
        return {group.name: ratio for group in graph.groups}

    def fits(ratio: float) -> bool:
        return cost.cost(CompressionParameters(ratios(ratio), {})).flops <= budget

    return ratios(bisect(fits, fitting=0.99, failing=0.0))


def before_and_after(model: Any, train: Split, test: Split, normalization: Normalization) -> tuple[float, float]:
    """Accuracy without repair, and after its batch normalization statistics are estimated again."""
    classes = int(test.targets.max()) + 1
    proxy = ScoreProxy(ImageDataset("reconstruct", train, test, test, Classification(classes), normalization), SETTINGS)
    repair = proxy.start(model)
    plain = proxy.score(repair, test).figure(ACCURACY)
    repair.recalibrate(SETTINGS.recalibration_images)
    return round(plain, 4), round(proxy.score(repair, test).figure(ACCURACY), 4)


def measure(
    model: Any, train: Split, test: Split, normalization: Normalization, *, fraction: float, images: int
) -> dict[str, Any]:
    """All figures, as JSON values; the calibration images are the first of a seeded permutation of the training's."""
    graph = analyse(model)
    ratios = uniform_ratios(graph, fraction)
    cost = CostModel(graph)
    flops = [cost.cost(parameters).flops for parameters in (CompressionParameters.none(), _pruning(ratios))]
    without, without_recalibrated = before_and_after(prune(model, ratios), train, test, normalization)
    chosen = np.random.default_rng(0).permutation(len(train))[:images]
    started, cpu = time.perf_counter(), time.process_time()
    result = prune_and_reconstruct(model, ratios, normalization(train.images[chosen]))
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    rebuilt, rebuilt_recalibrated = before_and_after(result.model, train, test, normalization)
    return {
        "ratio": next(iter(ratios.values())),
        "flops_left": round(flops[1] / flops[0], 4),
        "original": before_and_after(model, train, test, normalization)[0],
        "without": without,
        "without_recalibrated": without_recalibrated,
        "with": rebuilt,
        "with_recalibrated": rebuilt_recalibrated,
        "images": len(chosen),
        "test_images": len(test),
        "layers": len(result.reconstructed),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
    }


def _pruning(ratios: Ratios) -> CompressionParameters:
    return CompressionParameters(ratios, {})


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a trained .keras classifier")
    parser.add_argument("data", type=Path, help="folder of images with train/<class> and test/<class>")
    parser.add_argument("--flops", type=float, default=0.35, help="fraction of the FLOPs to keep")
    parser.add_argument("--images", type=int, default=512, help="calibration images")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "reconstruct.json")
    arguments = parser.parse_args()
    data = folder(arguments.data)
    if data.test is None:
        raise DataError(f"expected a test folder in {str(arguments.data)!r}, received none; add test/<class>/*")
    model = keras.models.load_model(arguments.model)
    sizes = {"fraction": arguments.flops, "images": arguments.images}
    figures = measure(model, data.train, data.test, NORMALIZATION, **sizes)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
