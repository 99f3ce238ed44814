"""Images that stay in their files: images per second beside a bare tf.data pipeline, and memory at the peak.

Run from the repository's root: ``python -m scripts.bench.zoo.streaming photos``, with a folder of photos, from which
20,000 JPEG files of 224 by 224 pixels are cut. Writes docs/results/streaming.json. A model that averages pixels is
fitted to both pipelines in turn, each to the same part of an epoch; the ratio is the median over parts. Memory is that
of a process that trains it for an epoch, above that of one that imports TensorFlow and builds it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scripts.bench.zoo.crops import write_crops

JSON_FILE = Path(__file__).parents[3] / "docs" / "results" / "streaming.json"
SIZE, BATCH = 224, 128
IN_MEMORY = 0.0
"""Bytes: everything stays in its files, however small the folder."""


def model(size: int, classes: int) -> Any:
    """Averages pixels, so that next to nothing is computed."""
    import keras

    inputs = keras.Input((size, size, 3))
    averaged = keras.layers.GlobalAveragePooling2D()(inputs)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(averaged))


def bare_pipeline(split: Any, order: np.ndarray, normalization: Any) -> Any:
    """What tf.data's guide shows: read, decode, resize, normalize, batch, all in parallel, and prefetched."""
    import tensorflow as tf

    height, width = split.images.shape[1:3]
    paths = [str(split.images.files.paths[index]) for index in order]
    mean, std = (np.float32(values) for values in (normalization.mean, normalization.std))

    def example(path: Any, label: Any) -> tuple[Any, Any]:
        image = tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(path), channels=3), (height, width))
        return (image / normalization.scale - mean) / std, label

    examples = tf.data.Dataset.from_tensor_slices((paths, split.targets[order]))
    return examples.map(example, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)


@dataclass(frozen=True)
class Pace:
    """Wall and processor milliseconds of an image."""

    wall: float
    processor: float


def paces(folder: Path, parts: int) -> tuple[list[Pace], list[Pace]]:
    """Of tuckprune's batches and of the bare pipeline, for every part of an epoch, which they read in turn."""
    from zoo.data.batches import ImageBatches
    from zoo.data.load import load_dataset

    data = load_dataset(str(folder), in_memory=IN_MEMORY)
    nets = [model(data.image_shape[0], data.task.count) for _ in range(2)]
    for net in nets:
        net.compile("sgd", "sparse_categorical_crossentropy")
    pieces = np.array_split(np.random.default_rng(0).permutation(len(data.train)), parts)
    taken = []
    # The first part is read twice: once to trace both models.
    for piece in [pieces[0], *pieces]:
        split = data.train.take(piece)
        batches = ImageBatches(split, data.normalization, BATCH, seed=0, task=data.task)
        order = np.random.default_rng((0, 0)).permutation(len(split))
        both = batches, bare_pipeline(split, order, data.normalization)
        taken.append([_pace(net, given) for net, given in zip(nets, both, strict=True)])
    ours, bare = (list(one) for one in zip(*taken[1:], strict=True))
    return ours, bare


def _pace(net: Any, batches: Any) -> Pace:
    """Between the ends of the first and of the last batch: what begins an epoch is left out of short parts."""
    import keras

    ends: list[tuple[float, float]] = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append((time.perf_counter(), time.process_time()))
    )
    net.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[clock])
    images = (len(ends) - 1) * BATCH
    return Pace(*(1e3 * (last - first) / images for first, last in zip(ends[0], ends[-1], strict=True)))


def peak_mb() -> float:
    """Megabytes of this process at its peak."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def built(folder: Path) -> None:
    """Import TensorFlow and build the model."""
    model(SIZE, 10)


def streamed(folder: Path) -> None:
    """Train the model for one epoch, with validation, on images in files."""
    from zoo.data.load import load_dataset
    from zoo.training.training import TrainingSettings, train

    data = load_dataset(str(folder), in_memory=IN_MEMORY)
    train(model(data.image_shape[0], data.task.count), data, TrainingSettings(epochs=1, batch_size=BATCH))


PROCESSES: dict[str, Callable[[Path], None]] = {"built": built, "streamed": streamed}


def peak_of(name: str, folder: Path) -> float:
    """Megabytes at the peak of a process that does what is called so."""
    words = [sys.executable, "-m", "scripts.bench.zoo.streaming", str(folder), "--process", name]
    made = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return float(made.stdout.split()[-1])


def summary(ours: Sequence[Pace], bare: Sequence[Pace]) -> dict[str, float | None]:
    """Medians over parts, and of the ratios of two that followed each other."""
    ratios = [other.wall / own.wall for own, other in zip(ours, bare, strict=True)]
    return {
        "images_per_second": round(1e3 / statistics.median(pace.wall for pace in ours), 1),
        "bare_images_per_second": round(1e3 / statistics.median(pace.wall for pace in bare), 1),
        "ratio": round(statistics.median(ratios), 3),
        "processor_ms_per_image": round(statistics.median(pace.processor for pace in ours), 3),
        "bare_processor_ms_per_image": round(statistics.median(pace.processor for pace in bare), 3),
        "cores": os.cpu_count(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tuckprune_crops")
    parser.add_argument("--parts", type=int, default=8, help="of an epoch, which both pipelines read in turn")
    parser.add_argument("--out", type=Path, default=JSON_FILE)
    parser.add_argument("--process", choices=PROCESSES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process is not None:
        PROCESSES[given.process](given.photos)
        print(peak_mb())
        return
    if not given.folder.exists():
        write_crops(given.photos, given.folder, given.images, SIZE)
    results = {"images": given.images, **summary(*paces(given.folder, given.parts))}
    results["peak_mb_above_tensorflow"] = round(peak_of("streamed", given.folder) - peak_of("built", given.folder))
    given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
