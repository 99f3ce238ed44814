"""What `tuckprune train` takes on a CPU with TensorFlow's own kernels and with oneDNN, and what both train.

Run from the repository's root: ``python -m scripts.bench.objectives.kernels``. Writes docs/results/kernels.json. Every
round trains each model once with either, in a process of its own, one after the other, so that other work on the
machine falls on both alike. Processor seconds are those of all steps after the third. How far apart the losses are is
compared with what rounding alone does: TensorFlow's own kernels, all weights larger by the least amount.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import search  # noqa: F401  before TensorFlow, for the environment that it needs
from search.environment import ONEDNN

ROOT = Path(__file__).parents[3]
JSON_FILE = ROOT / "docs" / "results" / "kernels.json"
MODELS = ("resnet20", "mobilenetv1")
_UNTIMED = 3
_ROUNDING = 2.0**-23
"""The least by which a weight in float32 can differ."""

_CODE = """
import json, sys
from scripts.bench.objectives.kernels import steps_of
print(json.dumps(steps_of(*json.loads(sys.argv[1]))))
"""


def steps_of(name: str, source: str, steps: int, batch: int, shift: float = 0.0) -> dict[str, Any]:
    """Train a model of the zoo in this process: losses step by step, and images per processor second.

    shift: by which share of themselves the weights are larger than the seed makes them.
    """
    import keras  # in the process that has chosen its kernels

    from zoo.data.load import load_dataset
    from zoo.kernels.replacement import own_kernels
    from zoo.models.registry import build_model

    data = load_dataset(source, validation=0.1, seed=0)
    drawn = np.random.default_rng(0).permutation(len(data.train))[: steps * batch]
    images, targets = data.normalization(data.train.images[drawn]), data.train.targets[drawn]
    keras.utils.set_random_seed(0)
    model = build_model(name, input_shape=data.image_shape, classes=data.task.count)
    model.set_weights([weight * np.float32(1 + shift) for weight in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    losses, seconds = [], []
    with own_kernels(model):
        for step in range(steps):
            part = slice(step * batch, (step + 1) * batch)
            start = time.process_time()
            losses.append(float(model.train_on_batch(images[part], targets[part])))
            seconds.append(time.process_time() - start)
    return {"losses": losses, "images_per_second": batch * (steps - _UNTIMED) / sum(seconds[_UNTIMED:])}


def trained(onednn: bool, *given: str | float) -> dict[str, Any]:
    """What `steps_of` returns in a process that has these kernels."""
    made = subprocess.run(
        [sys.executable, "-c", _CODE, json.dumps(given)],
        env=os.environ | {ONEDNN: str(int(onednn))},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
    return result


def apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """The largest relative difference of two runs' losses, over all steps."""
    return float(f"{max(abs(a - b) / a for a, b in zip(one['losses'], other['losses'], strict=True)):.1e}")


def compared(name: str, source: str, steps: int, batch: int, rounds: int) -> dict[str, Any]:
    """Medians of one model's rounds, and how far apart the losses are."""
    runs = [[trained(onednn, name, source, steps, batch) for onednn in (False, True)] for _ in range(rounds)]
    plain, with_onednn = ([run[side] for run in runs] for side in (0, 1))
    rounded = trained(False, name, source, steps, batch, _ROUNDING)
    speeds = [statistics.median(run["images_per_second"] for run in side) for side in (plain, with_onednn)]
    return {
        "model": name,
        "data": Path(source).stem,
        "steps": steps,
        "batch": batch,
        "rounds": rounds,
        "images_per_processor_second": [round(speed, 1) for speed in speeds],
        "ratio": round(statistics.median(b["images_per_second"] / a["images_per_second"] for a, b in runs), 2),
        "losses_apart": apart(plain[0], with_onednn[0]),
        "losses_apart_by_rounding": apart(plain[0], rounded),
        "same_again": [all(run["losses"] == side[0]["losses"] for run in side) for side in (plain, with_onednn)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="cifar10")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=JSON_FILE)
    given = parser.parse_args()
    results = [compared(name, given.source, given.steps, given.batch, given.rounds) for name in given.models]
    given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
