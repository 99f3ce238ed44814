"""The command ``tuckprune inspect``: what of a model can be compressed, and what its layers cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from configs.load import load_config
from search.cli.command import command
from search.cli.console import (
    AcrossNormalization,
    AsJson,
    CustomObjects,
    InputSize,
    ModelPath,
    check_across,
    console,
    image_size,
    print_json,
)
from search.environment import import_tensorflow

if TYPE_CHECKING:  # It loads TensorFlow.
    from objectives.cost.cost_model import CostModel


@command(order=20)
def inspect(
    model: ModelPath,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure latency too, on one thread: of the model, and of its layers.")
    ] = False,
    across_normalization: AcrossNormalization = False,
    config: Annotated[
        Path | None, typer.Option(help="Configuration whose choices per layer to check and show.")
    ] = None,
    input_size: InputSize = None,
    custom_objects: CustomObjects = None,
    as_json: AsJson = False,
) -> None:
    """Show what can be compressed: groups, decomposable layers, what is excluded and why, cost per layer."""
    check_across(across_normalization, config)
    configured, size = load_config(config) if config else None, image_size(input_size)
    across = across_normalization if configured is None else configured.pruning.across_normalization
    import_tensorflow()
    from compress.graph.analysis import analyse
    from compress.graph.sizes import at_size
    from compress.model_files.files import load_model
    from objectives.cost.cost_model import CostModel
    from objectives.cost.latency import LatencySettings
    from objectives.cost.latency_fit import measured_table
    from search.cli import model_tables
    from search.cli.choices_table import choices_entry, choices_table, chosen_layers
    from search.space.layer_choices import check_choices, layer_choices

    shown = console(as_json, soft_wrap=False)
    loaded = load_model(model, custom_objects)
    graph = analyse(loaded, across, size)
    shown.print(model_tables.groups(graph))
    shown.print(model_tables.decomposable(graph))
    shown.print(model_tables.left_whole(graph.excluded, graph.undecomposable, "Excluded"))
    model_tables.warn_of_not_exact(shown, graph)
    if configured is not None:
        check_choices(configured, graph)
        chosen = chosen_layers(graph, layer_choices(configured.space))
        shown.print(choices_table(chosen))
    # A model that takes images of any size, without one given, is refused here: everything else is printed by then.
    sized = at_size(loaded, size)
    table = measured_table(sized, LatencySettings(), across_normalization=across) if latency else None
    cost = CostModel(graph, table)
    shown.print(model_tables.layer_costs(cost))
    model_tables.warn_of_uncounted(shown, cost)
    model_tables.warn_of_unsized(shown, cost.memory)
    if latency:
        shown.print(model_tables.latencies(sized))
        model_tables.warn_of_untimed(shown, graph)
    if as_json:
        print_json(_entry(cost) | ({} if configured is None else {"choices": choices_entry(chosen)}))


def _entry(cost: "CostModel") -> dict[str, Any]:
    from compress.parameters import CompressionParameters

    graph, whole = cost.graph, CompressionParameters.none()
    return {
        "groups": [
            {"name": group.name, "channels": group.channels, "layers": list(group.layers)} for group in graph.groups
        ],
        "decomposable": [
            {"layer": layer.layer, "in_channels": layer.in_channels, "out_channels": layer.out_channels}
            for layer in graph.decomposable
        ],
        "not_pruned": {exclusion.name: exclusion.reason for exclusion in graph.excluded},
        "not_exact": list(graph.not_exact),
        "not_decomposed": {exclusion.name: exclusion.reason for exclusion in graph.undecomposable},
        "uncounted": list(cost.uncounted),
        "layers": {name: figures.stored() for name, figures in cost.layer_costs(whole).items()},
        "total": cost.cost(whole).stored(),
    }
