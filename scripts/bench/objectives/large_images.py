"""What a trial costs with images of 224 by 224 pixels: the plain way against shared networks, as trial.py has it.

python -m scripts.bench.objectives.large_images MobileNetV2 --work /tmp/large

An untrained model of keras.applications and random images, which cost what others do. Per model: the processor seconds
of everything before the sweep, the resident memory of a process that has judged a candidate, and what a trial takes in
both ways, alternating in this process of one thread. Written after every candidate, as medians of those so far, beside
what the file holds of other models.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in a worker, for models like these

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras
import numpy as np
import tensorflow as tf

from configs.load import load_config
from configs.schema.run import RunConfig
from objectives.network.precision import Precision, fast_precision
from scripts.bench.memory import resident_mb
from scripts.bench.objectives.proxy import Bench
from scripts.bench.objectives.trial import EXACT, Clock, Ours, Plain, case
from search.driver.listeners.listener import Listener
from search.pipeline.dry_run import prepared_job

ROOT = Path(__file__).parents[3]
MODELS = ("MobileNetV2", "EfficientNetB0", "ResNet50")
CLASSES, BATCH, STEPS = 10, 32, 10

Entry = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """Pixels of an edge, and images of each split."""

    pixels: int = 224
    training: int = STEPS * BATCH
    validation: int = 128


def configuration(name: str, work: Path, sizes: Sizes) -> RunConfig:
    """A run of an untrained model on random images, both written into the work folder."""
    keras.utils.set_random_seed(0)
    shape = (sizes.pixels, sizes.pixels, 3)
    model = getattr(keras.applications, name)(weights=None, classes=CLASSES, input_shape=shape)
    model.save(work / f"{name}.keras")
    rng, count = np.random.default_rng(0), sizes.training + sizes.validation
    images, labels = rng.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % CLASSES
    few = slice(0, BATCH)
    np.savez(work / "images.npz", x_train=images, y_train=labels, x_test=images[few], y_test=labels[few])
    config = {
        "name": name.lower(),
        "model": {"path": str(work / f"{name}.keras")},
        "data": {"source": str(work / "images.npz"), "validation": sizes.validation / count},
        "budget": {"flops": "50%"},
        "space": {"ranks": False},
        "recipe": ["prune"],
        "proxy": {"recalibration_images": sizes.validation, "steps": STEPS, "batch_size": BATCH},
    }
    path = work / f"{name}.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML.
    return load_config(path)


def analysis_seconds(config: RunConfig) -> float:
    """Processor seconds of what a search does before its sweep: model, data, analysis, and a look at the original."""
    started = time.process_time()
    prepared_job(config, Listener())
    return time.process_time() - started


def compared(bench: Bench, precisions: list[Precision], rounds: int) -> Iterator[list[Entry]]:
    """Rows of one model after each of its candidates, those of the first precision with the memory of a worker."""
    networks, worker_mb = [], 0.0
    for number, precision in enumerate(precisions):  # A worker traces once, a search has hundreds of trials.
        networks.append(Ours(bench, precision))
        networks[-1].judge(0, 1, Clock())
        worker_mb = worker_mb if number else round(resident_mb())
    clock, plain = Clock(), Plain(bench, EXACT)
    for number in range(rounds):
        parameters = bench.candidate(number)
        clock.time(f"plain, {STEPS}", lambda p=parameters: plain.steps(p, clock))
        clock.time("plain, 0", lambda p=parameters: plain.recalibration(p, clock))
        for precision, network in zip(precisions, networks, strict=True):
            for steps in (STEPS, 0):
                name = f"{precision.name}, {steps}"
                clock.time(name, lambda net=network, n=number, s=steps: net.judge(n, s, clock))
        keras.backend.clear_session()
        yield [
            row(clock, precision, steps) | ({} if place else {"worker_mb": worker_mb}) | {"candidates": number + 1}
            for place, precision in enumerate(precisions)
            for steps in (STEPS, 0)
        ]


def row(clock: Clock, precision: Precision, steps: int) -> Entry:
    """One kind of trial, in float32 the plain way and in some precision ours."""
    name = f"{steps} steps" if steps else "recalibration alone"
    return case(name, clock.median(f"plain, {steps}"), clock.median(f"{precision.name}, {steps}")) | {
        "precision": precision.name,
        "profile": {
            key: round(clock.median(key), 2)
            for key in clock.seconds
            if key.startswith(("plain, float32:", f"ours, {precision.name}:"))
        },
    }


def main() -> None:
    """Measure one model, and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--work", type=Path, required=True, help="folder for the model and the images")
    parser.add_argument("--rounds", type=int, default=5, help="candidates that are timed")
    parser.add_argument("--pixels", type=int, default=Sizes.pixels)
    parser.add_argument("--float32", action="store_true", help="time the shared network in float32 as well")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "large_images.json")
    given = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    given.work.mkdir(parents=True, exist_ok=True)
    config = configuration(given.model, given.work, Sizes(given.pixels))
    before = round(analysis_seconds(config), 2)
    precisions = list(dict.fromkeys([fast_precision(), *[EXACT] * given.float32]))
    for rows in compared(Bench(config, long_steps=0), precisions, given.rounds):
        others = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else []
        kept = [other for other in others if other["model"] != given.model]
        kept += [{"model": given.model, "analysis_seconds": before} | one for one in rows]
        given.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    main()
