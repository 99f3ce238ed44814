"""What this machine computes with, as far as it decides how candidates are computed."""

import os
from pathlib import Path
from typing import Any

import tensorflow as tf

_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
_CAPABILITY = (8, 0)
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
_CPU_FILE = Path("/proc/cpuinfo")


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def computes_bfloat16() -> bool:
    """Whether the device that TensorFlow would use multiplies bfloat16 in hardware."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return all(gpu_has_bfloat16(tf.config.experimental.get_device_details(gpu)) for gpu in gpus)
    return uses_onednn(os.environ.get(_ONEDNN)) and cpu_has_bfloat16(_cpu_description())


def gpu_has_bfloat16(details: dict[str, Any]) -> bool:
    """By what TensorFlow says of a GPU: NVIDIA's have it from compute capability 8.0 on."""
    return tuple(details.get("compute_capability", (0, 0))) >= _CAPABILITY


def cpu_has_bfloat16(description: str) -> bool:
    """By the text of ``/proc/cpuinfo``."""
    flags = (line.partition(":")[2] for line in description.splitlines() if line.startswith("flags"))
    return bool(_CPU_FLAGS & set(next(flags, "").split()))


def uses_onednn(variable: str | None) -> bool:
    """By the value of ``TF_ENABLE_ONEDNN_OPTS``; without it TensorFlow uses oneDNN on CPUs that have such flags."""
    return variable is None or variable.lower() in ("1", "true")


def _cpu_description() -> str:
    """Empty where the system has no such file: there is no telling then."""
    return _CPU_FILE.read_text(encoding="utf-8", errors="replace") if _CPU_FILE.exists() else ""
