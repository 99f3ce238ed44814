"""Checks of a machine's processors: GPUs, precision, speed, and room for workers."""

import math
import os
import shutil
import subprocess
import time

import keras
import numpy as np
import psutil
import tensorflow as tf

from objectives.network.precision import fast_precision
from search.pipeline.machine.check import Check
from zoo.models.registry import build_model

_BATCH, _STEPS = 64, 4
_CONTEXT_GB = 0.6
"""Approximate GPU memory that CUDA and its libraries take for each process."""


def gpus() -> Check:
    """Check that TensorFlow sees the machine's GPUs."""
    seen = [_description(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    present = _present_gpus()
    if seen:
        return Check("GPUs", "; ".join(seen))
    if not present:
        return Check("GPUs", "none: trials run on the CPU")
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return Check("GPUs", f"hidden by CUDA_VISIBLE_DEVICES: {'; '.join(present)}")
    return Check(
        "GPUs",
        f"TensorFlow sees none of {'; '.join(present)}",
        "pip install 'tuckprune[gpu]' in this environment; if it is, update the driver",
    )


def _description(gpu: object) -> str:
    details = tf.config.experimental.get_device_details(gpu)
    capability = ".".join(map(str, details.get("compute_capability", ())))
    return f"{details.get('device_name', 'GPU')}, compute capability {capability or 'unknown'}"


def _present_gpus() -> list[str]:
    """The GPUs that NVIDIA's driver lists, a line each."""
    return _nvidia("--list-gpus")


def _nvidia(*options: str) -> list[str]:
    """Output lines of nvidia-smi; empty where it is missing or fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    made = subprocess.run([tool, *options], capture_output=True, text=True, check=False, timeout=60)
    return made.stdout.splitlines() if made.returncode == 0 else []


def precision() -> Check:
    """Report whether the hardware multiplies bfloat16."""
    name = fast_precision().name
    has = "multiplied in hardware" if name == "mixed_bfloat16" else "not multiplied in hardware"
    return Check("precision", f"bfloat16 is {has}: trials compute in {name}")


def speed() -> Check:
    """Measure how many images of 32x32 per second ResNet-20 trains on."""
    model = build_model("resnet20", input_shape=(32, 32, 3), classes=10)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).standard_normal((_BATCH, 32, 32, 3), dtype=np.float32)
    labels = np.arange(_BATCH) % 10
    model.train_on_batch(images, labels)
    started = time.perf_counter()
    for _ in range(_STEPS):
        model.train_on_batch(images, labels)
    per_second = _STEPS * _BATCH / (time.perf_counter() - started)
    device = "a GPU" if tf.config.list_physical_devices("GPU") else f"{_cores()} CPU cores"
    return Check("speed", f"ResNet-20 trains on {per_second:,.0f} images of 32x32 per second, on {device}")


def workers() -> Check:
    """Check that there is memory for a worker, by the memory that this process has taken so far."""
    gigabytes, free = psutil.Process().memory_info().rss / 1e9, psutil.virtual_memory().available / 1e9
    count = min(_cores(), math.floor(free / gigabytes))
    line = f"room for {count} of one CPU core and {gigabytes:.1f} GB: {_cores()} cores, {free:.1f} GB of memory free"
    if count < 1:
        return Check("workers", line, "end other programs, or take a machine with more memory")
    if tf.config.list_physical_devices("GPU"):
        line += f"; {_gpu_share(count)}"
    return Check("workers", line)


def _gpu_share(count: int) -> str:
    """A text on how many of ``count`` workers fit on one GPU, by the memory that ResNet-20 took of it."""
    needed = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9 + _CONTEXT_GB
    total = float((_nvidia("--query-gpu=memory.total", "--format=csv,noheader,nounits") or ["0"])[0]) * 2**20 / 1e9
    each = max(1, min(count, math.floor(total / needed)))
    return f"{each} of them on a GPU of {total:.0f} GB at {needed:.1f} GB each (search.gpus_per_worker: {1 / each:.3g})"


def _cores() -> int:
    return len(os.sched_getaffinity(0))
