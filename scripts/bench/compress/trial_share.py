"""What decomposition takes of a whole trial: ResNet50 with the published ratios and ranks, on one core.

python -m scripts.bench.compress.trial_share

A trial is what a worker does for one candidate: weights pruned and decomposed, the proxy's steps, statistics
estimated again, and the validation images. The images are random, as many as of CIFAR-100: no time depends on them.
Kernels have been decomposed before, so that their bases are kept, and everything is traced. Prints processor seconds.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import numpy as np
import tensorflow as tf
from threadpoolctl import threadpool_limits

from compress.decomposition.kernel_bases import BasesCache, as_kernel
from compress.decomposition.tucker import tucker2
from compress.pruning.pruning import prune
from objectives.score.candidate_repairs import CandidateRepairs
from objectives.score.proxy import ProxySettings, ScoreProxy
from scripts.bench.compress.decompose import kernels_of, published_parameters
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.models.registry import build_model
from zoo.tasks.kinds.classification import Classification

TRAINING, VALIDATION, CLASSES = 4096, 5000, 100


def random_images() -> ImageDataset:
    """Splits of a trial's size."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        return Split(rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), rng.integers(0, CLASSES, count))

    normalization = Normalization(255.0, (0.5,) * 3, (0.25,) * 3)
    return ImageDataset("random", split(TRAINING), split(VALIDATION), split(1), Classification(CLASSES), normalization)


def seconds(work: Callable[[], Any]) -> float:
    """Processor seconds of the work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measure() -> dict[str, float]:
    """Seconds of the kernels' decomposition, and of whole trials by recalibration alone and by the proxy's steps."""
    model, parameters, settings = build_model("resnet50"), published_parameters(), ProxySettings()
    kernels = [
        (as_kernel(kernel), pair) for kernel, pair in kernels_of(prune(model, parameters.ratios), parameters.ranks)
    ]
    cache = BasesCache()

    def decompose() -> None:
        for kernel, pair in kernels:
            tucker2(kernel, *pair, cache)

    proxy = ScoreProxy(random_images(), settings, model)
    candidates = CandidateRepairs(model, proxy)
    decompose()
    proxy.rung(candidates.start(parameters), 1)
    return {
        "decomposition": seconds(decompose),
        "trial of recalibration alone": seconds(lambda: proxy.rung(candidates.start(parameters), 0)),
        f"trial of {settings.steps} steps": seconds(lambda: proxy.rung(candidates.start(parameters), settings.steps)),
    }


def main() -> None:
    """Measure, and print."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with threadpool_limits(1):
        print(json.dumps({name: round(figure, 2) for name, figure in measure().items()}, indent=1))


if __name__ == "__main__":
    main()
