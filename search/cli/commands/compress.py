"""The command ``tuckprune compress``: simple compression."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from configs.load import load_config
from configs.schema.run import RunConfig
from search.cli.command import command
from search.cli.commands.ship import ALL, CHOICES, FORMATS, chosen_formats, ship_apart
from search.cli.console import (
    AcrossNormalization,
    AsJson,
    CustomObjects,
    InputSize,
    MethodName,
    ModelPath,
    Overrides,
    check_across,
    check_method,
    console,
    image_size,
    print_json,
    resumable,
    with_method,
)
from search.cli.kernels import choose_kernels
from search.environment import import_tensorflow
from search.runs.run_folder import RunFolder

if TYPE_CHECKING:  # It loads TensorFlow.
    from search.pipeline.compression import Compressed


@command(order=80)
def compress(
    model: ModelPath,
    params: Annotated[
        list[Path] | None,
        typer.Option(
            help="Own values: a parameter file (text, JSON, or NetsPresso's). Repeatable: pruning.txt, ranks.txt."
        ),
    ] = None,
    recommended: Annotated[
        bool, typer.Option("--recommend", help="Recommended values instead: SLAMP ratios and VBMF ranks at the budget.")
    ] = False,
    method: MethodName = None,
    config: Annotated[
        Path | None, typer.Option(help="Configuration with the data, the recipe and the fine-tuning.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Without a configuration, so without fine-tuning: the new .keras file.")
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar=CHOICES,
            callback=chosen_formats,
            autocompletion=lambda: [*FORMATS, ALL],
            help="Then ship the result in this format as well, as ship does. Repeatable.",
        ),
    ] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Fine-tune also what the finals of the run have fine-tuned already.")
    ] = False,
    across_normalization: AcrossNormalization = False,
    input_size: InputSize = None,
    custom_objects: CustomObjects = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Simple compression: prune, fine-tune, decompose, fine-tune, with own or recommended values."""
    _check_options(bool(params), recommended, config, out, bool(formats))
    check_method(method, recommended, config is not None)
    check_across(across_normalization, config)
    size = _checked_size(input_size, config)
    loaded = load_config(config, with_method(overrides, method)) if config else None
    shown = console(as_json)
    if loaded is not None:
        choose_kernels(shown.print, loaded.finetune, model)
    _load_libraries(custom_objects, formats or [])
    with resumable(shown, "compress"):
        if loaded is None:
            made = _made_apart(model, params or [], out or Path(), across_normalization, size, shown)
        else:
            made = _made(model, params or [], recommended, loaded, shown, retrain)
    shown.print(_line(made))
    code = 0
    if formats and config:
        code = ship_apart(made.path, config, formats, overrides or (), as_json, custom_objects)
    if as_json:
        print_json(_entry(made, loaded if formats and not code else None))
    if code:
        raise typer.Exit(code)


def _load_libraries(custom_objects: str | None, formats: Sequence[str]) -> None:
    import_tensorflow()
    from compress.model_files.custom_objects import register_custom_objects

    register_custom_objects(custom_objects)
    if formats:
        from search.pipeline.shipment import check_installed

        check_installed(formats)


def _made(
    model: Path, params: Sequence[Path], recommended: bool, loaded: RunConfig, shown: Console, retrain: bool
) -> "Compressed":
    from search.pipeline import compression

    if recommended:
        return compression.compress_recommended(model, loaded, shown.print, retrain=retrain)
    own = compression.read_own(params)
    return compression.compress_own(model, own.parameters, loaded, shown.print, made_for=own.made_for, retrain=retrain)


def _made_apart(
    model: Path,
    params: Sequence[Path],
    out: Path,
    across_normalization: bool,
    size: tuple[int, ...] | None,
    shown: Console,
) -> "Compressed":
    from search.pipeline import compression

    own = compression.read_own(params)
    return compression.compress_without_data(
        model,
        own.parameters,
        out,
        shown.print,
        made_for=own.made_for,
        across_normalization=across_normalization,
        image_size=size,
    )


def _line(made: "Compressed") -> str:
    result = made.result
    score = f"test {result.text}" if result.figures else "not fine-tuned"
    unknown = "FLOPs unknown without --input-size"
    flops = unknown if result.flops is None else f"{result.flops / 1e6:.2f} MFLOPs"
    return f"{made.path}: {score}, {flops}, {result.params / 1e6:.3f} M parameters, {result.size / 1e6:.2f} MB"


def _entry(made: "Compressed", shipped: RunConfig | None) -> dict[str, Any]:
    exports = [] if shipped is None else json.loads(RunFolder.of(shipped).exports_table.read_text(encoding="utf-8"))
    return {"path": str(made.path), **made.result.stored(), "exports": exports}


def _checked_size(text: str | None, config: Path | None) -> tuple[int, ...] | None:
    if text is not None and config is not None:
        raise typer.BadParameter("--input-size is for a command without --config: with it, the data give the size")
    return image_size(text)


def _check_options(own: bool, recommended: bool, config: Path | None, out: Path | None, ships: bool) -> None:
    if own == recommended:
        raise typer.BadParameter("expected either --params FILE or --recommend")
    if recommended and config is None:
        raise typer.BadParameter("--recommend needs --config, for the budget, the data and the fine-tuning")
    if (config is None) == (out is None):
        raise typer.BadParameter("expected either --config CONFIG (fine-tunes, writes to its run folder) or --out FILE")
    if ships and config is None:
        raise typer.BadParameter("--format needs --config, for the images that the formats are compared on")
