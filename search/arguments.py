"""Arguments that several commands share, with their help texts."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ConfigPath = Annotated[Path, typer.Argument(help="YAML configuration of the run, for instance configs/digits.yaml.")]
RunPath = Annotated[Path, typer.Argument(help="Folder of the run, for instance runs/digits.")]
ModelPath = Annotated[Path, typer.Argument(help="A functional or Sequential Keras model: .keras, .h5, or SavedModel.")]
QuantityName = Annotated[
    Literal["flops", "params", "size", "memory", "latency"] | None,
    typer.Option("--quantity", help="What is traded for accuracy, default that of the run's front, or flops."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a key of the configuration: --set search.trials=10. Repeatable."),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON to standard output, and all else to standard error."),
]
