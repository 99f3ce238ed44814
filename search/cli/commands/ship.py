"""The command ``tuckprune ship``, and how ``compress`` calls it."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from configs.load import load_config
from search.cli.console import AsJson, ModelPath, Overrides, console, print_json
from search.environment import import_tensorflow
from search.runs.exports import FORMAT_NAMES, FormatName


class FormatChoice(StrEnum):
    """What --format takes."""

    KERAS = "keras"
    H5 = "h5"
    SAVEDMODEL = "savedmodel"
    TFLITE = "tflite"
    TFLITE_INT8 = "tflite-int8"
    ONNX = "onnx"
    ALL = "all"


def ship(
    model: ModelPath,
    config: Annotated[Path, typer.Option(help="Configuration with the images to compare on, and the run folder.")],
    formats: Annotated[
        list[FormatChoice], typer.Option("--format", help="What to write into exports/ of the run folder. Repeatable.")
    ],
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Write a model, compressed or not, in other formats; load each back, compare it on test images, and time it.

    A format other than int8 that gives any image another class than the Keras model is an error.
    """
    loaded = load_config(config, overrides or ())
    import_tensorflow(threads=1)
    from search.cli import tables as table
    from search.pipeline import shipment

    shown = console(as_json)

    def say(line: str) -> None:
        shown.print(line, highlight=False)

    shipped = shipment.ship(model, loaded, chosen(formats), say)
    shown.print(table.exports(shipped.exports, f"{model}: {shipped.images} test images"), soft_wrap=False)
    if as_json:
        print_json([asdict(export) for export in shipped.exports])
    shipped.check()


def chosen(formats: Sequence[FormatChoice]) -> tuple[FormatName, ...]:
    """The formats that are meant, each once, in the order of the table."""
    return tuple(name for name in FORMAT_NAMES if name in formats or FormatChoice.ALL in formats)


def ship_apart(
    model: Path, config: Path, formats: Sequence[FormatChoice], overrides: Sequence[str], quietly: bool
) -> int:
    """Ship in a process of its own, as this one's TensorFlow has the threads that training takes; its exit code.

    quietly: whether standard output belongs to something else.
    """
    options = [word for name in formats for word in ("--format", name)]
    options += [word for override in overrides for word in ("--set", override)]
    command = [sys.executable, "-P", "-m", "search", "ship", str(model), "--config", str(config), *options]
    sys.stdout.flush()
    return subprocess.run(command, stdout=sys.stderr if quietly else None, check=False).returncode
