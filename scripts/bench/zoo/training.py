"""What a training step takes on a CPU by the kernels of Keras's layers and by `zoo.kernels`, in both precisions.

python -m scripts.bench.zoo.training resnet20 mobilenetv1 --out docs/results/training.json

Every round fits the same new model once in each way, as `train` does, one after the other in one process of one
thread, with oneDNN and on random images, so that other work on the machine falls on all alike. Figures are medians over
the rounds of the processor seconds of a step, the first ones left out, which trace and compile.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in a worker, for models like these

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras
import numpy as np

from compress.model_files.files import load_model
from search.environment import use_threads
from zoo.kernels.replacement import own_kernels
from zoo.models.registry import build_model
from zoo.training.precision import PrecisionName, computing_in

ROOT = Path(__file__).parents[3]
_UNTIMED = 3
WAYS: dict[str, tuple[bool, PrecisionName]] = {
    "keras_float32": (False, "float32"),
    "ours_float32": (True, "float32"),
    "keras_bfloat16": (False, "mixed_bfloat16"),
    "ours_bfloat16": (True, "mixed_bfloat16"),
}
"""Whether by our own kernels, and in which precision."""


def made(given: str, batch: int) -> tuple[Any, Any, Any]:
    """A model of the zoo, or of a file, with a batch of images (N, H, W, C) and labels (N, ...) that it takes."""
    keras.utils.set_random_seed(0)
    model = load_model(Path(given)) if given.endswith(".keras") else build_model(given)
    rng, (*size, classes) = np.random.default_rng(0), model.output_shape[1:]
    images = rng.normal(size=(batch, *model.input_shape[1:])).astype(np.float32)
    return model, images, rng.integers(0, classes, (batch, *size))


def steps(given: str, way: str, count: int, batch: int) -> tuple[float, list[float]]:
    """Processor seconds of a step, and the mean losses up to each."""
    (ours, precision), (model, images, labels) = WAYS[way], made(given, batch)
    clock = Clock()
    model.compile(keras.optimizers.SGD(0.001, momentum=0.9), "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)  # or the step is traced twice
    with own_kernels(model) if ours else nullcontext(), computing_in(model, precision):
        model.fit(Repeated(images, labels, count), shuffle=False, verbose=0, callbacks=[clock])
    return statistics.median(clock.seconds[_UNTIMED:]), clock.losses


class Repeated(keras.utils.PyDataset):  # type: ignore[misc]
    """One batch again and again; as of the batches of a training, Keras does not know how many images it has."""

    def __init__(self, images: Any, labels: Any, count: int) -> None:
        super().__init__()
        self._batch, self._count = (images, labels), count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._batch


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Processor seconds of every step, and the mean losses up to it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds, self.losses, self._started = list[float](), list[float](), 0.0

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Begin."""
        self._started = time.process_time()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note what the step took."""
        self.seconds.append(time.process_time() - self._started)
        self.losses.append(float((logs or {})["loss"]))


def measured(given: str, ways: Sequence[str], count: int, batch: int, rounds: int) -> dict[str, Any]:
    """Medians of one model's rounds, by how much ours is faster, and how far apart the losses in float32 are."""
    runs = [{way: steps(given, way, count, batch) for way in ways} for _ in range(rounds)]
    seconds = {way: round(statistics.median(run[way][0] for run in runs), 4) for way in ways}
    plain, ours = (runs[0][way][1] for way in ("keras_float32", "ours_float32"))
    return {
        "model": Path(given).parent.name if given.endswith(".keras") else given,
        "batch": batch,
        "steps": count,
        "rounds": rounds,
        "seconds_a_step": seconds,
        "ratios": {way: round(seconds["keras_float32"] / seconds[way], 2) for way in ways},
        "losses_apart_float32": float(f"{max(abs(a - b) for a, b in zip(plain, ours, strict=True)):.1e}"),
    }


def main() -> None:
    """Measure the given models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of the zoo, or .keras files of models that classify")
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, default=list(WAYS), help="float32 alone, where no CPU has more"
    )
    parser.add_argument("--steps", type=int, default=13)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "training.json")
    given = parser.parse_args()
    use_threads(1)
    results = [measured(name, given.ways, given.steps, given.batch, given.rounds) for name in given.models]
    given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
