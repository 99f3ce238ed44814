"""The command ``tuckprune init``: a configuration for a model and its images."""

from pathlib import Path
from typing import Annotated

import typer

from compress.errors import RunError
from search.cli.command import command
from search.cli.console import CustomObjects, arguments, console, image_size
from search.environment import import_tensorflow


@command(order=5)
def init(
    model: Annotated[Path, typer.Option(help="Trained Keras model: .keras, .h5, or SavedModel.")],
    data: Annotated[str, typer.Option(help="Its images: a folder, an .npz file, module:function, or a name.")],
    out: Annotated[Path, typer.Option(help="The new file.")] = Path("tuckprune.yaml"),
    task: Annotated[
        str | None, typer.Option(help="Task of the model if it is no classifier, such as regression.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--image-size",
            metavar="SIZE",
            help="Size that images of a folder are resized to, 224 or 224x160; the model's, unless it takes any.",
        ),
    ] = None,
    custom_objects: CustomObjects = None,
) -> None:
    """Write a commented configuration for a model and its images, from a look at both."""
    if out.exists():
        raise RunError(f"expected a new file as --out, received '{out}', which is there; choose another name")
    resized = image_size(size, "--image-size")
    import_tensorflow()
    from search.pipeline.initial_config import initial_config

    shown = console(False)
    text = initial_config(model, data, task, custom_objects, resized, shown.print)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"'{out}' cannot be written ({error.strerror}); give another --out") from error
    shown.print(f"{out}: look at it, then: tuckprune search {arguments(out, None)} --dry-run")
