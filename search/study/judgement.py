"""A judgement: the figures that a worker reports for a candidate, and the conditions that it was judged under."""

import math
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import optuna

from compress.parameters import CompressionParameters
from search.environment import ONEDNN
from zoo.tasks.metric import Metric, Score

if TYPE_CHECKING:  # It loads TensorFlow, and these conditions are read before.
    from zoo.training.precision import PrecisionName

CONDITIONS, RUNGS = "conditions", "rungs"
"""Keys of a trial's user attributes."""

_CPU_FILE = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Conditions:
    """The conditions that a judgement depends on besides the candidate: seed, precision, hardware and versions.

    Attributes:
        seed: of the proxy: images drawn, order of the batches, random layers.
        precision: the Keras policy that layers compute in.
        threads: of TensorFlow for one operation.
        onednn: the process's ``TF_ENABLE_ONEDNN_OPTS``, which chooses the kernels of a CPU.
        device: name of the GPU, or else of the processor.
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
        """A line for every condition that differs, such as ``threads: 1 -> 2``."""
        before, after = asdict(self), asdict(other)
        return [f"{name}: {value} -> {after[name]}" for name, value in before.items() if value != after[name]]


def recorded_conditions(study: optuna.Study, number: int) -> Conditions | None:
    """The conditions of the trial with this number; None where there is no such trial, or it was not judged."""
    return next((conditions_of(trial.user_attrs) for trial in study.trials if trial.number == number), None)


def conditions_of(attributes: dict[str, Any]) -> Conditions | None:
    """The conditions in the user attributes of a trial; None where it has none."""
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


@dataclass(frozen=True)
class Judgement:
    """A worker's report on one candidate: its figures on the validation split, or the error that stopped it.

    Attributes:
        score: figures on the validation split; None after an error.
        seconds: duration of judging it.
        error: one line; None for a candidate that was judged.
        parameters: of recommended values, which the worker computes; None where they were given.
        conditions: how and where it was judged; None for finalists.
        worker: host and process; None for finalists.
        lost: for every worker that was lost while it judged the candidate, the reason.
        model: the fine-tuned model of a finalist as ``model_bytes`` packs it; None of a trial.
    """

    score: Score | None
    seconds: float
    error: str | None = None
    parameters: CompressionParameters | None = None
    conditions: Conditions | None = None
    worker: str | None = None
    lost: tuple[str, ...] = ()
    model: bytes | None = None

    @classmethod
    def failed(cls, seconds: float, error: str) -> "Judgement":
        """A candidate that could not be judged."""
        return cls(None, seconds, error)

    def checked(self, metric: Metric) -> "Judgement":
        """This judgement, or a failed one where a figure is missing or not finite, which cannot be ranked."""
        if self.error is not None:
            return self
        figures = {} if self.score is None else {metric.name: math.nan, **self.score.figures}
        broken = {name: figure for name, figure in figures.items() if not math.isfinite(figure)}
        if self.score is not None and not broken:
            return self
        received = ", ".join(f"{name} {figure}" for name, figure in broken.items()) or "none"
        error = f"expected finite figures on the validation images, received {received}"
        return replace(Judgement.failed(self.seconds, error), worker=self.worker, lost=self.lost)


@dataclass(frozen=True)
class Rung:
    """A trial's figures on the validation split at one rung.

    Attributes:
        steps: total training steps.
        score: the figures.
        objective: the value that the study maximizes.
    """

    steps: int
    score: Score
    objective: float

    @property
    def rank(self) -> tuple[float, float]:
        """Sort key, the best rung has the largest: the objective, then the lower loss."""
        return self.objective, -self.score.loss


def rungs_of(attributes: Mapping[str, Any]) -> tuple[Rung, ...]:
    """The rungs in a trial's attributes, the first one first."""
    return tuple(
        Rung(fields["steps"], Score(fields["figures"]), fields["objective"]) for fields in attributes.get(RUNGS, ())
    )


def keep_rung(trial: optuna.Trial, rung: Rung) -> tuple[Rung, ...]:
    """Store a rung in a trial's attributes, and return all rungs of the trial.

    An interrupted trial is judged again from its first rung; rungs that were stored before are not overwritten.
    """
    known = rungs_of(trial.user_attrs)
    if any(other.steps == rung.steps for other in known):
        return known
    rungs = (*known, rung)
    trial.set_user_attr(RUNGS, [_fields(one) for one in rungs])
    return rungs


def _fields(rung: Rung) -> dict[str, Any]:
    """A rung as a trial's attribute."""
    return {"steps": rung.steps, "figures": dict(rung.score.figures), "objective": rung.objective}


def report_rung(study: optuna.Study, trial: optuna.Trial, rung: Rung) -> None:
    """Report a rung to Optuna, whose samplers may learn from stopped trials; each step can be reported only once."""
    if rung.steps not in study._storage.get_trial(trial._trial_id).intermediate_values:
        trial.report(rung.objective, rung.steps)


def rung_counts(of_trials: Iterable[tuple[Rung, ...]]) -> Counter[int]:
    """Number of trials that were judged at each rung, by the rung's steps.

    of_trials: the rungs of every trial.
    """
    return Counter(rung.steps for rungs in of_trials for rung in rungs)


def counts_text(counts: Mapping[int, int]) -> str:
    """Text for the result of ``rung_counts``, from the first rung to the last; empty where there is a single rung."""
    if len(counts) < 2:
        return ""
    first, *others = sorted(counts)
    return ", ".join([f"{counts[first]} trials at {first} steps", *(f"{counts[steps]} at {steps}" for steps in others)])
