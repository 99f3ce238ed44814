"""What a trial costs: the plain way, which builds and compiles every candidate, against shared networks.

python -m scripts.bench_trial configs/resnet20_cifar10.yaml

Both judge the same random candidates in turn, in one process of one thread, on the same images: 30 steps of the
configuration's proxy and the whole validation split, or recalibration and the split. Then 200 candidates more, with two
steps each on few images, for the memory that the process keeps.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in a worker, for a model like this one

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras
import numpy as np
import tensorflow as tf

from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from configs.load import load_config
from objectives.accuracy import AccuracyProxy
from objectives.candidates import Candidates
from scripts.bench_proxy import Bench
from zoo.data.dataset import Split
from zoo.loss import loss_for

ROOT = Path(__file__).parents[1]
STEPS, MANY = 30, 200

Seconds = dict[str, list[float]]


class Clock:
    """Wall seconds by the name of what took them."""

    def __init__(self) -> None:
        self.seconds: Seconds = {}

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the work, and keep how long it took."""
        started = time.perf_counter()
        result = work()
        self.seconds.setdefault(name, []).append(time.perf_counter() - started)
        return result

    def median(self, name: str) -> float:
        """Of all times of one kind of work."""
        return float(np.median(self.seconds[name]))


def plain_steps(bench: Bench, parameters: CompressionParameters, clock: Clock) -> None:
    """Build, compile, fit for 30 steps, evaluate."""
    proxy, data = bench.proxy().settings, bench.data
    model = clock.time("plain: build", lambda: apply_parameters(bench.model, parameters, bench.config.recipe))
    optimizer = keras.optimizers.SGD(proxy.learning_rate, momentum=proxy.momentum)
    model.compile(optimizer, loss_for(model), metrics=["accuracy"])
    some = slice(0, STEPS * proxy.batch_size)
    x, y = data.normalization(data.train.images[some]), data.train.labels[some]
    clock.time("plain: fit", lambda: model.fit(x, y, batch_size=proxy.batch_size, verbose=0))
    _evaluate(bench, model, clock)


def plain_recalibration(bench: Bench, parameters: CompressionParameters, clock: Clock) -> None:
    """Build, compile, run training batches in training mode, evaluate."""
    proxy, data = bench.proxy().settings, bench.data
    model = clock.time("plain: build", lambda: apply_parameters(bench.model, parameters, bench.config.recipe))
    model.compile("sgd", loss_for(model), metrics=["accuracy"])

    def recalibrate() -> None:
        for start in range(0, proxy.recalibration_images, proxy.batch_size):
            model(data.normalization(data.train.images[start : start + proxy.batch_size]), training=True)

    clock.time("plain: recalibrate", recalibrate)
    _evaluate(bench, model, clock)


def _evaluate(bench: Bench, model: Any, clock: Clock) -> None:
    data, size = bench.data, bench.proxy().settings.batch_size
    x = data.normalization(data.validation.images)
    clock.time("plain: evaluate", lambda: model.evaluate(x, data.validation.labels, batch_size=size, verbose=0))


def shared(bench: Bench, proxy: AccuracyProxy, candidates: Candidates, number: int, steps: int, clock: Clock) -> None:
    """Load, advance, recalibrate, score."""
    settings = proxy.settings
    repair = clock.time("ours: load", lambda: candidates.start(bench.candidate(number)))
    if steps:
        clock.time("ours: steps", lambda: repair.advance(steps, lambda step: settings.learning_rate))
    clock.time("ours: recalibrate", lambda: repair.recalibrate(settings.recalibration_images))
    clock.time("ours: score", lambda: proxy.score(repair, bench.data.validation))


def resident_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def growth(bench: Bench) -> float:
    """Megabytes that the process keeps of 200 candidates, after the first five."""
    few = Split(bench.data.validation.images[:512], bench.data.validation.labels[:512])
    proxy = AccuracyProxy(
        replace(bench.data, validation=few), replace(bench.proxy().settings, recalibration_images=128), bench.model
    )
    candidates = Candidates(bench.model, proxy, bench.config.recipe)
    before = 0.0
    for number in range(MANY + 5):
        if number == 5:
            before = resident_mb()
        proxy.rung(candidates.start(bench.candidate(1000 + number)), 2)
    return resident_mb() - before


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """All figures, as JSON values."""
    clock = Clock()
    proxy = bench.proxy(distillation=None)  # the plain way has none
    candidates = Candidates(bench.model, proxy, bench.config.recipe)
    shared(bench, proxy, candidates, 0, STEPS, Clock())  # a worker traces once, a search has hundreds of trials
    plain_steps(bench, bench.candidate(0), Clock())
    for number in range(rounds):
        parameters = bench.candidate(number)
        clock.time("plain, 30 steps", lambda parameters=parameters: plain_steps(bench, parameters, clock))
        clock.time("ours, 30 steps", lambda n=number: shared(bench, proxy, candidates, n, STEPS, clock))
        clock.time("plain, recalibration", lambda p=parameters: plain_recalibration(bench, p, clock))
        clock.time("ours, recalibration", lambda n=number: shared(bench, proxy, candidates, n, 0, clock))
        keras.backend.clear_session()
    pairs = {
        "30 steps": ("plain, 30 steps", "ours, 30 steps"),
        "recalibration alone": ("plain, recalibration", "ours, recalibration"),
        "recalibration alone, against 30 plain steps": ("plain, 30 steps", "ours, recalibration"),
    }
    cases = [case(name, clock.median(plain), clock.median(ours)) for name, (plain, ours) in pairs.items()]
    profile = {name: round(clock.median(name), 3) for name in clock.seconds if ":" in name}
    return {"cases": cases, "profile": profile, "rss_growth_mb_200_candidates": round(growth(bench), 1)}


def case(name: str, plain: float, ours: float) -> dict[str, Any]:
    """One comparison, with how many times faster the shared network is."""
    seconds = {"plain_seconds": round(plain, 2), "ours_seconds": round(ours, 2)}
    return {"name": name, **seconds, "ratio": round(plain / ours, 2)}


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run's configuration, its model trained")
    parser.add_argument("--rounds", type=int, default=7, help="candidates that are timed")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "trial.json")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    result = measure(Bench(load_config(arguments.config), long_steps=0), arguments.rounds)
    result["onednn"] = os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
