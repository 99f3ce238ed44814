"""Fidelity of the proxies: how each ranks random candidates, against a long fine-tune, for its cost.

python -m scripts.bench.objectives.proxy configs/resnet20_cifar10.yaml --work /tmp/proxy

Candidates are proposed as `search.sampler: random` does, and projected onto the budget. Every one is judged by all
proxies on the validation split, and by its accuracy on the test split after a long fine-tune whose learning rate falls
to zero by a cosine. Processes share the candidates; what is measured is kept in the work folder, so that an interrupted
run goes on. Costs are processor seconds of one thread, which other programs on the machine disturb least.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras
import numpy as np
import tensorflow as tf
from scipy.stats import kendalltau, spearmanr

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from configs.load import load_config
from configs.schema.run import RunConfig
from objectives.cost.cost_model import CostModel
from objectives.score.candidate_repairs import CandidateRepairs
from objectives.score.proxy import ScoreProxy
from objectives.score.repair import Repair
from scripts.bench.objectives.proxy_page import BY_LOSS, LADDERS, Ladder, figure, markdown
from search import settings
from search.report.pictures import write_pictures
from search.space.projection import Projection
from search.space.space import LOWEST_PREFERENCE, SearchSpace
from zoo.data.dataset import ImageDataset
from zoo.data.split import drawn

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Bench:
    """What all candidates are measured with."""

    config: RunConfig
    long_steps: int

    @cached_property
    def model(self) -> Any:
        """The original."""
        return keras.models.load_model(self.config.model.path)

    @cached_property
    def data(self) -> ImageDataset:
        """Images and labels."""
        return settings.dataset(self.config)

    @cached_property
    def space(self) -> SearchSpace:
        """What candidates are made of."""
        return SearchSpace(CostModel(analyse(self.model)), settings.space(self.config), self.config.recipe)

    def candidate(self, number: int) -> CompressionParameters:
        """A random feasible candidate."""
        budget = settings.budget(self.config.budget, self.space.cost.cost(CompressionParameters.none()))
        rng = np.random.default_rng((self.config.seed, number))
        wanted = rng.uniform(LOWEST_PREFERENCE, 1, len(self.space.dimensions))
        return Projection(self.space, budget)(np.array(wanted)).parameters

    def proxy(self, **changes: Any) -> ScoreProxy:
        """The configuration's proxy with other settings."""
        plain = settings.proxy(self.config.proxy, self.config.seed)
        return ScoreProxy(self.data, replace(plain, **changes), self.model)

    def candidates(self, proxy: ScoreProxy) -> CandidateRepairs:
        """What starts repairs, as in a worker."""
        images = proxy.settings.reconstruction_images
        calibration = drawn(self.data, images, proxy.settings.seed) if images else None
        return CandidateRepairs(self.model, proxy, self.config.recipe, calibration=calibration)


@dataclass(frozen=True)
class Judge:
    """A proxy and what starts its repairs."""

    proxy: ScoreProxy
    candidates: CandidateRepairs


def climb(judge: Judge, parameters: CompressionParameters, ladder: Ladder) -> Iterator[Any]:
    """Accuracy, loss and processor seconds of every rung; seconds are those that the rung alone would have taken."""
    proxy = judge.proxy
    started = time.process_time()
    repair = judge.candidates.start(parameters)
    spent = time.process_time() - started
    for steps in ladder.rungs:
        started = time.process_time()
        repair.advance(steps - repair.steps, lambda step: proxy.settings.learning_rate)
        spent += time.process_time() - started
        started = time.process_time()
        result = proxy.rung(repair, steps)
        seconds = spent + time.process_time() - started
        yield ladder.label(steps), {**result.score.figures, "seconds": seconds}


def fine_tuned(bench: Bench, proxy: ScoreProxy, start: Callable[[], Repair]) -> dict[str, Any]:
    """Test accuracy after the long fine-tune of what `start` begins with, and its processor seconds."""
    rate = proxy.settings.learning_rate
    started = time.process_time()
    repair = start()
    repair.advance(bench.long_steps, lambda step: rate * (1 + math.cos(math.pi * step / bench.long_steps)) / 2)
    repair.recalibrate(proxy.settings.recalibration_images)
    result = proxy.score(repair, bench.data.test)
    seconds = time.process_time() - started
    return {"steps": bench.long_steps, "test_accuracy": result.figures["accuracy"], "seconds": seconds}


def measure(bench: Bench, work: Path, numbers: range) -> None:
    """Judge candidates by all proxies and by the long fine-tune, skipping what the work folder holds."""
    proxies = [bench.proxy(validation_images=None, **ladder.changes) for ladder in LADDERS]
    judges = [Judge(proxy, bench.candidates(proxy)) for proxy in proxies]
    for number in numbers:
        file = work / f"proxies-{number:03d}.json"
        if not file.exists():
            results: dict[str, Any] = {}
            for ladder, judge in zip(LADDERS, judges, strict=True):
                results.update(climb(judge, bench.candidate(number), ladder))
            file.write_text(json.dumps(results), encoding="utf-8")
        file = work / f"long-{number:03d}.json"
        if not file.exists():
            start = partial(judges[0].candidates.start, bench.candidate(number))
            result = fine_tuned(bench, judges[0].proxy, start)
            file.write_text(json.dumps(result), encoding="utf-8")


def summary(work: Path, count: int) -> dict[str, Any]:
    """Correlations and costs of all proxies over the candidates measured."""
    results = [json.loads((work / f"proxies-{number:03d}.json").read_text()) for number in range(count)]
    long = [json.loads((work / f"long-{number:03d}.json").read_text()) for number in range(count)]
    truth = np.array([result["test_accuracy"] for result in long])
    # Which candidates matter most to a search: the better half.
    better = truth >= np.median(truth)
    proxies = []
    for name in results[0]:
        for by, sign in (("accuracy", 1), ("loss", -1)):
            values = sign * np.array([result[name][by] for result in results])
            proxies.append(
                {
                    "name": name if by == "accuracy" else name + BY_LOSS,
                    # The first candidate of a process pays for tracing, which a search pays once per worker.
                    "seconds": round(float(np.median([result[name]["seconds"] for result in results])), 2),
                    "spearman": round(float(spearmanr(values, truth).statistic), 3),
                    "kendall": round(float(kendalltau(values, truth).statistic), 3),
                    "spearman_better_half": round(float(spearmanr(values[better], truth[better]).statistic), 3),
                    "scores": [result[name][by] for result in results],
                }
            )
    seconds = float(np.median([result["seconds"] for result in long if "seconds" in result]))
    return {
        "long": {"steps": long[0]["steps"], "seconds": round(seconds, 1), "test_accuracies": truth.tolist()},
        "candidates": count,
        "proxies": proxies,
    }


def _shards(arguments: argparse.Namespace) -> None:
    """Measure in processes of one thread each."""
    command = [
        sys.executable,
        "-m",
        "scripts.bench.objectives.proxy",
        str(arguments.config),
        "--work",
        str(arguments.work),
    ]
    command += ["--candidates", str(arguments.candidates), "--steps", str(arguments.steps)]
    shards = [
        subprocess.Popen([*command, "--shard", str(shard), "--workers", str(arguments.workers)])
        for shard in range(arguments.workers)
    ]
    failed = [shard for shard, process in enumerate(shards) if process.wait()]
    if failed:
        raise SystemExit(f"processes {failed} failed; run the same command to go on")


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run's configuration, its model trained")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is measured")
    parser.add_argument("--candidates", type=int, default=24)
    parser.add_argument("--steps", type=int, default=1000, help="of the long fine-tune")
    parser.add_argument("--workers", type=int, default=2, help="processes that share the candidates")
    parser.add_argument("--shard", type=int, help="used by those processes")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "proxy.json")
    parser.add_argument("--picture", type=Path, help="a PNG to draw, which takes an installed Chromium")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.shard is None:
        _shards(arguments)
        result = summary(arguments.work, arguments.candidates)
        arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        if arguments.picture is not None:
            proxy = load_config(arguments.config).proxy
            ladder = LADDERS[0] if proxy.distillation is None else LADDERS[1]
            write_pictures({arguments.picture: figure(result, ladder.label(proxy.steps))})
        print(markdown(result))
        return
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    bench = Bench(load_config(arguments.config), arguments.steps)
    measure(bench, arguments.work, range(arguments.shard, arguments.candidates, arguments.workers))


if __name__ == "__main__":
    main()
