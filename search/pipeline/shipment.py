"""Writes a model in several file formats, loads each file back, and compares it with the Keras model on images."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compress.errors import ConfigError, ModelError, TuckpruneError, one_line, typed_line
from compress.model_files.files import file_size, load_model
from configs.schema.run import RunConfig
from objectives.cost.latency import LatencySettings, time_passes
from search import settings
from search.pipeline.formats.calls import keras_run
from search.pipeline.formats.format import Array, Format, Run, formats
from search.runs.exports import Export, write_exports
from search.runs.run_folder import RunFolder
from zoo.data.dataset import Data
from zoo.data.split import drawn, drawn_test
from zoo.tasks.figures.scoring import score_of
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.regression import Regression
from zoo.tasks.own_task import OwnTask
from zoo.tasks.task import Task

COMPARED, CALIBRATION = 1000, 256
"""Most test images that formats are compared on, and most training images that calibrate int8."""
_BATCH = 64
_TOLERANCE = 1e-3
"""Largest difference of outputs, as a fraction of their range, in a float32 format."""


@dataclass(frozen=True)
class Sample:
    """Images that formats are compared on and calibrated by.

    Attributes:
        compared: normalized test images, (N, H, W, C).
        calibration: normalized training images, (N, H, W, C).
        task: compares outputs, and measures them.
        targets: of the test images; None where there are none.
    """

    compared: Array
    calibration: Array
    task: Task = Classification()
    targets: Array | None = None

    @classmethod
    def of(cls, data: Data, seed: int, compared: int = COMPARED) -> "Sample":
        """Images of a data set drawn by the seed, or images of a task of the user's own.

        Raises:
            ConfigError: a task of the user's own that gives no images.
        """
        if isinstance(data, OwnTask):
            return cls(drawn(data, compared, seed), drawn(data, CALIBRATION, seed), Regression())
        images, targets = drawn_test(data, compared, seed)
        return cls(images, drawn(data, CALIBRATION, seed), data.task, targets)

    def gain(self, model: Any, outputs: Array, expected: Array) -> float | None:
        """Gain in the task's first metric over the Keras model's outputs ``expected``; None without targets."""
        if self.targets is None:
            return None
        loss, metric = self.task.loss(model), self.task.metrics[0]
        figures = [score_of(self.task, self.targets, given, loss).figure(metric) for given in (outputs, expected)]
        return figures[0] - figures[1]


@dataclass(frozen=True)
class Shipment:
    """The outcome of exporting a model.

    Attributes:
        exports: the written files.
        problems: a line for every format that failed or is not exact.
        images: number of images that formats were compared on.
    """

    exports: tuple[Export, ...]
    problems: tuple[str, ...]
    images: int

    def check(self) -> None:
        """Raise ModelError where a format failed or is not exact."""
        if self.problems:
            raise ModelError("; ".join(self.problems))


def check_installed(names: Sequence[str]) -> None:
    """Raise ConfigError where a format needs a package that is not installed."""
    known = formats()
    for name in names:
        packages = known[name].missing()
        if packages:
            raise ConfigError(
                f"format {name} needs {', '.join(packages)}, which is not installed: pip install 'tuckprune[ship]', or "
                f"leave {name} out"
            )


def ship(model_path: Path, config: RunConfig, names: Sequence[str], log: Callable[[str], None] = print) -> Shipment:
    """Write a model in several formats into ``exports/`` of the run folder, and their figures as ``exports.json``.

    A format that fails does not stop the others. Keras and SavedModel files are timed on as many threads as this
    process gave TensorFlow, the others on one.

    Raises:
        ConfigError: a package of the extra ``ship`` is not installed.
        TuckpruneError: bad model, data, or run folder; nothing is written.
    """
    check_installed(names)
    model = load_model(model_path, config.model.custom_objects)
    check_single(model)
    data = settings.data(config, model)
    folder = RunFolder.of(config)
    with folder.opened(config):
        shipment = write_formats(model, model_path.stem, names, Sample.of(data, config.seed), folder.exports, log)
        write_exports(shipment.exports, folder.exports_table)
    return shipment


def check_single(model: Any) -> None:
    """Raise ModelError unless a model has one input and one output."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        names = [[tensor.name for tensor in tensors] for tensors in (model.inputs, model.outputs)]
        raise ModelError(
            f"model '{model.name}': expected one input, of images, and one output to compare formats by, received "
            f"inputs {', '.join(names[0])} and outputs {', '.join(names[1])}; ship a model with one of each"
        )


def write_formats(
    model: Any,
    stem: str,
    names: Sequence[str],
    sample: Sample,
    folder: Path,
    log: Callable[[str], None] = print,
    latency: LatencySettings | None = None,
) -> Shipment:
    """Write a model as ``<stem><ending>`` in each format into a folder, replacing existing files.

    A file that cannot be loaded back, or whose outputs are not finite, is not kept; nor is what the folder held under
    its name, which was of an earlier model.

    Args:
        model: with one input and one output.
        stem: of the files' names.
        names: of the formats.
        sample: images to compare and to calibrate by.
        folder: for the files.
        log: called with a line for every file.
        latency: how latency is measured; None for the default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    expected = _outputs(keras_run(model), sample.compared)
    known, exports, problems = formats(), [], []
    for format in (known[name] for name in dict.fromkeys(names)):
        path = folder / f"{stem}{format.ending}"
        log(f"writing {path}")
        try:
            made = _exported(model, format, path, sample, expected, latency or LatencySettings())
        except Exception as error:  # Converters and runtimes raise errors of many types from their C++ parts.
            earlier = f"; the earlier '{path}' is removed" if _removed(path) else ""
            problems.append(f"format {format.name} cannot be made of model '{model.name}': {_reason(error)}{earlier}")
            continue
        exports.append(made)
        problems += _inexact(made, format, expected)
    return Shipment(tuple(exports), tuple(problems), len(expected))


def _exported(
    model: Any, format: Format, path: Path, sample: Sample, expected: Array, latency: LatencySettings
) -> Export:
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
        made = Path(folder) / path.name
        format.write(model, made, sample.calibration)
        run = format.load(made)
        outputs = _outputs(run, sample.compared)
        if not np.isfinite(outputs).all():
            raise ModelError("expected finite outputs, received NaN or infinity")
        one = sample.compared[:1]
        timed = time_passes(lambda: run(one), latency)
        _removed(path)
        os.replace(made, path)
    gain = sample.gain(model, outputs, expected)
    return Export(
        format=format.name,
        file=f"{path.parent.name}/{path.name}",
        bytes=file_size(path),
        agreement=sample.task.agreement(outputs, expected),
        max_difference=float(np.abs(outputs - expected).max()),
        metric=None if gain is None else sample.task.metrics[0].name,
        metric_gain=gain,
        latency_ms=timed.median / 1e3,
        latency_spread_ms=timed.spread / 1e3,
    )


def _removed(path: Path) -> bool:
    """Whether there was a file or folder, which is gone now."""
    if path.is_dir():
        shutil.rmtree(path)
        return True
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def _outputs(run: Run, images: Array) -> Array:
    return np.concatenate([run(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)])


def _inexact(made: Export, format: Format, expected: Array) -> list[str]:
    # Classes alone would not tell logits from probabilities.
    near = made.max_difference <= _TOLERANCE * (float(np.ptp(expected)) or 1.0)
    if not format.exact or (near and made.agreement in (None, 1.0)):
        return []
    received = "" if made.agreement is None else f"{100 * made.agreement:.2f} % and "
    return [
        f"format {made.format} disagrees: expected the Keras model's answers to all {len(expected)} images, received "
        f"{received}outputs up to {made.max_difference:.2g} apart; do not use {made.file}"
    ]


def _reason(error: Exception) -> str:
    return one_line(error) if isinstance(error, TuckpruneError) else typed_line(error)
