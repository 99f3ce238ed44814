"""What the figures of a trial depend on besides its parameters and the run's configuration, model and images."""

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import optuna

if TYPE_CHECKING:  # It loads TensorFlow, and these conditions are read before.
    from objectives.network.precision import PrecisionName

CONDITIONS = "conditions"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"

_CPU_FILE = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Conditions:
    """How and where a worker judged.

    Attributes:
        seed: of the proxy: images drawn, order of the batches, random layers.
        precision: what layers compute in.
        threads: of TensorFlow, for one operation.
        onednn: ``TF_ENABLE_ONEDNN_OPTS`` of the process: which kernels a CPU runs.
        device: the kind of GPU, or else of processor.
        tensorflow, keras, numpy, tuckprune: versions.
    """

    seed: int
    precision: "PrecisionName"
    threads: int
    onednn: str
    device: str
    tensorflow: str
    keras: str
    numpy: str
    tuckprune: str

    @classmethod
    def here(cls, seed: int, precision: "PrecisionName", threads: int) -> Self:
        """The conditions of this process, whose TensorFlow is loaded."""
        versions = [_version(package) for package in ("tensorflow", "keras", "numpy", "tuckprune")]
        return cls(seed, precision, threads, os.environ.get(ONEDNN, ""), _device(), *versions)

    def differences(self, other: "Conditions") -> list[str]:
        """One line per condition that differs, such as ``threads: 1 -> 2``."""
        before, after = asdict(self), asdict(other)
        return [f"{name}: {value} -> {after[name]}" for name, value in before.items() if value != after[name]]


def recorded_conditions(study: optuna.Study, number: int) -> Conditions | None:
    """The conditions of a trial; None where there is no such trial or it was not judged."""
    return next((restored(trial.user_attrs) for trial in study.trials if trial.number == number), None)


def restored(attributes: dict[str, Any]) -> Conditions | None:
    """The conditions in the attributes of a trial, None where it has none."""
    fields = attributes.get(CONDITIONS)
    return None if fields is None else Conditions(**fields)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # Run from its sources.
        return "not installed"


def _device() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    lines = _CPU_FILE.read_text(encoding="utf-8").splitlines() if _CPU_FILE.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
