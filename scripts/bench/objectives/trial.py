"""What a trial costs: the plain way, which builds and compiles every candidate, against shared networks.

python -m scripts.bench.objectives.trial configs/resnet20_cifar10.yaml

Both judge the same random candidates in turn, in one process of one thread, on the same images: 30 steps of the
configuration's proxy and the validation images, or recalibration and these. The plain way evaluates on every validation
image, tuckprune on as many as trials of a search are scored on, and once on every one. The plain way computes in
float32, as Keras does unless told otherwise, and once under its policy of mixed precision; tuckprune in float32, and
in what `proxy.precision: auto` takes on this machine. Then 200 candidates more, with two steps each on few images, for
the memory that the process keeps. Seconds are processor seconds, which other programs on the machine disturb least.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
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
from objectives.network.precision import Precision, fast_precision
from objectives.score.candidate_repairs import CandidateRepairs
from objectives.score.proxy import ScoreProxy
from scripts.bench.memory import resident_mb
from scripts.bench.objectives.proxy import Bench
from zoo.data.dataset import Split
from zoo.tasks.kinds.classification import Classification
from zoo.training.training import made_optimizer

ROOT = Path(__file__).parents[3]
STEPS, MANY = 30, 200
EVERY = ", on every validation image"
EXACT = Precision()

Seconds = dict[str, list[float]]


class Clock:
    """Processor seconds by the name of what took them."""

    def __init__(self) -> None:
        self.seconds: Seconds = {}

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the work, and keep how long it took."""
        started = time.process_time()
        result = work()
        self.seconds.setdefault(name, []).append(time.process_time() - started)
        return result

    def median(self, name: str) -> float:
        """Of all times of one kind of work."""
        return float(np.median(self.seconds[name]))


@dataclass(frozen=True)
class Plain:
    """The plain way in one precision: build, compile, train or estimate statistics, evaluate."""

    bench: Bench
    precision: Precision

    def steps(self, parameters: CompressionParameters, clock: Clock) -> None:
        """Fit for the steps of the configuration."""
        proxy, data = self.bench.proxy().settings, self.bench.data
        model = self._model(parameters, clock)
        optimizer = made_optimizer(proxy.optimizer, "proxy.optimizer", proxy.learning_rate)
        model.compile(optimizer, Classification().loss(model), metrics=["accuracy"])
        some = slice(0, proxy.steps * proxy.batch_size)
        x, y = data.normalization(data.train.images[some]), data.train.targets[some]
        clock.time(self._name("fit"), lambda: model.fit(x, y, batch_size=proxy.batch_size, verbose=0))
        self._evaluate(model, clock)

    def recalibration(self, parameters: CompressionParameters, clock: Clock) -> None:
        """Run training batches in training mode."""
        proxy, data = self.bench.proxy().settings, self.bench.data
        model = self._model(parameters, clock)
        model.compile("sgd", Classification().loss(model), metrics=["accuracy"])

        def recalibrate() -> None:
            for start in range(0, proxy.recalibration_images, proxy.batch_size):
                model(data.normalization(data.train.images[start : start + proxy.batch_size]), training=True)

        clock.time(self._name("recalibrate"), recalibrate)
        self._evaluate(model, clock)

    def _model(self, parameters: CompressionParameters, clock: Clock) -> Any:
        recipe = self.bench.config.recipe
        model = clock.time(self._name("build"), lambda: apply_parameters(self.bench.model, parameters, recipe))
        if self.precision.policy is not None:
            for layer in model.layers[:-1]:
                layer.dtype_policy = self.precision.policy
        return model

    def _evaluate(self, model: Any, clock: Clock) -> None:
        data, size = self.bench.data, self.bench.proxy().settings.batch_size
        x, y = data.normalization(data.validation.images), data.validation.targets
        clock.time(self._name("evaluate"), lambda: model.evaluate(x, y, batch_size=size, verbose=0))

    def _name(self, work: str) -> str:
        return f"plain, {self.precision.name}: {work}"


class Ours:
    """The shared network in one precision: load, advance, recalibrate, score."""

    def __init__(self, bench: Bench, precision: Precision) -> None:
        self._bench, self._precision = bench, precision
        # The plain way has no distillation.
        self._proxy = bench.proxy(distillation=None, precision=precision)
        self._candidates = CandidateRepairs(bench.model, self._proxy, bench.config.recipe)

    def judge(self, number: int, steps: int, clock: Clock, every: bool = False) -> None:
        """Judge one candidate after so many steps, on as many validation images as in a search or on every one."""
        settings, name = self._proxy.settings, f"ours, {self._precision.name}:"
        validation = self._bench.data.validation
        scored = validation if every else validation.take(settings.scored(validation))
        repair = clock.time(f"{name} load", lambda: self._candidates.start(self._bench.candidate(number)))
        if steps:
            clock.time(f"{name} steps", lambda: repair.advance(steps, lambda step: settings.learning_rate))
        clock.time(f"{name} recalibrate", lambda: repair.recalibrate(settings.recalibration_images))
        images = "every image" if every else "as in a search"
        clock.time(f"{name} score {images}", lambda: self._proxy.score(repair, scored))


def growth(bench: Bench) -> float:
    """Megabytes that the process keeps of 200 candidates, after the first five."""
    few = Split(bench.data.validation.images[:512], bench.data.validation.targets[:512])
    proxy = ScoreProxy(
        replace(bench.data, validation=few), replace(bench.proxy().settings, recalibration_images=128), bench.model
    )
    candidates = CandidateRepairs(bench.model, proxy, bench.config.recipe)
    before = 0.0
    for number in range(MANY + 5):
        if number == 5:
            before = resident_mb()
        proxy.rung(candidates.start(bench.candidate(1000 + number)), 2)
    return resident_mb() - before


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """All figures, as JSON values."""
    clock = Clock()
    precisions = [EXACT, *{fast_precision()} - {EXACT}]
    plain, ours = Plain(bench, EXACT), [Ours(bench, precision) for precision in precisions]
    for network in ours:  # A worker traces once, a search has hundreds of trials.
        network.judge(0, STEPS, Clock())
    plain.steps(bench.candidate(0), Clock())
    for number in range(rounds):
        parameters = bench.candidate(number)
        for precision, network in zip(precisions, ours, strict=True):
            way = Plain(bench, precision)
            clock.time(f"plain, {precision.name}, {STEPS}", lambda w=way, p=parameters: w.steps(p, clock))
            for steps, every in product((STEPS, 0), (False, True)):
                name = f"ours, {precision.name}, {steps}" + EVERY * every
                clock.time(name, lambda net=network, n=number, s=steps, e=every: net.judge(n, s, clock, e))
        clock.time("plain, float32, 0", lambda p=parameters: plain.recalibration(p, clock))
        keras.backend.clear_session()
    profile = {name: round(clock.median(name), 3) for name in clock.seconds if ":" in name}
    return {"cases": cases(clock, precisions), "profile": profile}


def cases(clock: Clock, precisions: Sequence[Precision]) -> list[dict[str, Any]]:
    """Every comparison: what a user gets here first, then others."""
    best = precisions[-1].name
    pairs = [("30 steps", "float32", STEPS, best, STEPS), ("recalibration alone", "float32", 0, best, 0)]
    pairs.append(("recalibration alone, against 30 plain steps", "float32", STEPS, best, 0))
    if best != EXACT.name:
        pairs += [(f"{name}, float32", one, n, "float32", m) for name, one, n, _, m in pairs]
        pairs.append((f"30 steps, both {best}", best, STEPS, best, STEPS))
    return [
        case(name + images, clock.median(f"plain, {plain}, {n}"), clock.median(f"ours, {ours}, {m}{images}"))
        | {"plain_precision": plain, "ours_precision": ours}
        for images in ("", EVERY)
        for name, plain, n, ours, m in pairs
    ]


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
    bench = Bench(load_config(arguments.config), long_steps=0)
    result = measure(bench, arguments.rounds)
    result["rss_growth_mb_200_candidates"] = round(growth(bench), 1)
    result["seconds"] = "processor"
    result["onednn"] = os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
