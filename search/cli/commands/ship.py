"""The command ``tuckprune ship``, and how ``compress`` calls it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from configs.load import load_config
from search.cli.command import command
from search.cli.console import AsJson, CustomObjects, ModelPath, Overrides, console, print_json
from search.environment import ONEDNN, import_tensorflow
from search.pipeline.formats.format import formats
from search.workers.onednn import OFF, is_chosen

ALL = "all"
FORMATS = tuple(formats())
CHOICES = f"[{'|'.join((*FORMATS, ALL))}]"
"""Values of ``--format``, for help texts."""


def chosen_formats(given: Sequence[str] | None) -> list[str]:
    """Names of formats without duplicates, in the order of the table; ``all`` stands for all of them.

    Raises:
        typer.BadParameter: an unknown format.
    """
    unknown = [name for name in given or () if name not in (*FORMATS, ALL)]
    if unknown:
        raise typer.BadParameter(f"expected formats out of {', '.join((*FORMATS, ALL))}, received {unknown[0]!r}")
    return [name for name in FORMATS if given and (name in given or ALL in given)]


@command(order=90)
def ship(
    model: ModelPath,
    config: Annotated[Path, typer.Option(help="Configuration with the images to compare on, and the run folder.")],
    names: Annotated[
        list[str],
        typer.Option(
            "--format",
            metavar=CHOICES,
            callback=chosen_formats,
            autocompletion=lambda: [*FORMATS, ALL],
            help="What to write into exports/ of the run folder. Repeatable.",
        ),
    ],
    as_json: AsJson = False,
    custom_objects: CustomObjects = None,
    overrides: Overrides = None,
) -> None:
    """Write a model, compressed or not, in other formats; load each back, compare it on test images, and time it.

    A format other than int8 that gives any image another class than the Keras model is an error.
    """
    loaded = load_config(config, overrides or ())
    import_tensorflow(threads=1)
    from compress.model_files.custom_objects import register_custom_objects
    from search.cli import tables
    from search.pipeline import shipment

    shown = console(as_json)

    def log(line: str) -> None:
        shown.print(line)

    register_custom_objects(custom_objects)
    shipped = shipment.ship(model, loaded, names, log)
    log(f"{model}: compared on {shipped.images} test images")
    shown.print(tables.exports(shipped.exports), soft_wrap=False)
    if as_json:
        print_json([asdict(export) for export in shipped.exports])
    shipped.check()


def ship_apart(
    model: Path,
    config: Path,
    names: Sequence[str],
    overrides: Sequence[str],
    quietly: bool,
    custom_objects: str | None = None,
) -> int:
    """Run ``tuckprune ship`` in a new process and return its exit code: this one's TensorFlow uses all threads.

    quietly: whether to print to standard error, where standard output holds JSON.
    """
    options = [word for name in names for word in ("--format", name)]
    options += [] if custom_objects is None else ["--custom-objects", custom_objects]
    options += [word for override in overrides for word in ("--set", override)]
    command = [sys.executable, "-P", "-m", "search", "ship", str(model), "--config", str(config), *options]
    sys.stdout.flush()
    # Formats are timed with the same kernels as by the command `ship` itself.
    environment = os.environ if is_chosen() else os.environ | {ONEDNN: OFF}
    return subprocess.run(command, stdout=sys.stderr if quietly else None, env=environment, check=False).returncode
