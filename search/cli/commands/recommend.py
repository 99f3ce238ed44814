"""The command ``tuckprune recommend``: recommended values to look at, to edit, and to feed to ``compress``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from configs.load import load_config
from configs.schema.run import RunConfig, Stage
from search.cli.command import command
from search.cli.console import (
    AcrossNormalization,
    CustomObjects,
    InputSize,
    MethodName,
    ModelPath,
    Overrides,
    check_across,
    check_method,
    console,
    image_size,
    with_method,
)
from search.environment import import_tensorflow

if TYPE_CHECKING:
    from compress.pruning.settings import PruningSettings
    from objectives.budget.recommendation import Recommendation
    from objectives.budget.recommended import Recommender

_RATIO, _CALIBRATION = 0.5, 0.0
_RATIO_HELP = (
    "Fraction of all channels that SLAMP removes, or of those within blocks that --method inner does, "
    f"default {_RATIO}. Alone: no ranks."
)


@command(order=30)
def recommend(
    model: ModelPath,
    ratio: Annotated[
        float | None,
        typer.Option(min=0, max=1, help=_RATIO_HELP),
    ] = None,
    calibration: Annotated[
        float | None,
        typer.Option(
            min=-1,
            max=1,
            help="Moves VBMF's ranks, towards all channels above 0 and towards rank 1 below, "
            f"default {_CALIBRATION}. Alone: no ratios.",
        ),
    ] = None,
    flops: Annotated[
        str | None, typer.Option(help="Set both so that the result meets this budget: 25%, 4x, 403.6M.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Configuration with the recipe, criterion, channel step and choices to use.")
    ] = None,
    method: MethodName = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the parameter files, as export writes them.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print parameters.json to standard output, and all else to standard error.")
    ] = False,
    across_normalization: AcrossNormalization = False,
    input_size: InputSize = None,
    custom_objects: CustomObjects = None,
    overrides: Overrides = None,
) -> None:
    """Recommend pruning ratios (SLAMP, or --method) and Tucker ranks (VBMF) without a search: look, edit, compress.

    Ranks are those of the pruned model, or ratios those of the decomposed one, in the order of the recipe
    (default: prune, then decompose). Nothing is trained. What stays whole is listed with the reason.
    """
    options = _Options(ratio, calibration, flops, image_size(input_size), method)
    options.check()
    check_method(method, True, config is not None and not options.given)
    check_across(across_normalization, config)
    loaded = load_config(config, with_method(overrides, method)) if config else None
    if overrides and loaded is None:
        raise typer.BadParameter("--set changes a configuration; give one with --config")
    recipe = options.stages(loaded.recipe if loaded else ("prune", "decompose"))
    import_tensorflow()
    from compress.graph.model_channels import ModelChannels
    from compress.model_files.custom_objects import register_custom_objects
    from compress.parameter_files import json_format

    register_custom_objects(custom_objects)
    shown = console(as_json, soft_wrap=False)
    recommended = _recommended(model, options, loaded, recipe, across_normalization, shown)
    _show(shown, recommended)
    if out is not None:
        _write(shown, recommended, out)
    if as_json:
        typer.echo(json_format.dumps(recommended.parameters, ModelChannels.of(recommended.graph)), nl=False)


def _write(shown: Console, recommended: "Recommendation", out: Path) -> None:
    from compress.parameter_files.files import write_parameters

    graph, recipe, step = recommended.graph, recommended.recipe, recommended.step
    for path in write_parameters(recommended.parameters, out, graph, recipe, step):
        shown.print(str(path), soft_wrap=True)


@dataclass(frozen=True)
class _Options:
    """The options on how much is compressed, the image size at which cost is counted, and the method."""

    ratio: float | None
    calibration: float | None
    flops: str | None
    size: tuple[int, ...] | None
    method: str | None

    def check(self) -> None:
        if self.flops is not None and not (self.ratio is None and self.calibration is None):
            raise typer.BadParameter("expected either --flops, which sets both, or --ratio and --calibration")

    @property
    def given(self) -> bool:
        """Whether one of the options sets how much is compressed."""
        return not (self.ratio is None and self.calibration is None and self.flops is None)

    def stages(self, recipe: tuple[Stage, ...]) -> tuple[Stage, ...]:
        """The stages of a recipe to recommend values for: all, unless only ``--ratio`` or ``--calibration`` is set."""
        asked = {"prune": self.ratio is not None, "decompose": self.calibration is not None}
        missing = [stage for stage in ("prune", "decompose") if asked[stage] and stage not in recipe]
        if missing:
            option = {"prune": "--ratio", "decompose": "--calibration"}[missing[0]]
            raise typer.BadParameter(f"{option} needs '{missing[0]}' in the recipe, which is {list(recipe)}")
        return tuple(stage for stage in recipe if asked[stage]) or recipe

    def source(
        self, model: Any, loaded: RunConfig | None, recipe: tuple[Stage, ...], pruning: "PruningSettings"
    ) -> "Recommender":
        from compress.graph.analysis import analyse
        from compress.graph.choices import NO_CHOICES
        from objectives.budget.budget import Budget
        from objectives.budget.recommended import BudgetValues, GlobalValues
        from search.pipeline.compression import configured, cost_of, ratios_by
        from search.space.layer_choices import check_choices, layer_choices

        choices, make = NO_CHOICES, ratios_by(self.method if loaded is None else loaded.simple.method)
        if loaded is not None:
            check_choices(loaded, analyse(model, pruning.across_normalization))
            choices = layer_choices(loaded.space)
        if self.flops is not None:
            cost = cost_of(model, image_size=self.size)
            budget = Budget.parse({"flops": self.flops}, cost)
            return BudgetValues(recipe, budget, cost, pruning, choices, self.size, make)
        if loaded is not None and self.ratio is None and self.calibration is None:
            return configured(model, loaded, pruning, self.size)
        return GlobalValues(
            _RATIO if self.ratio is None else self.ratio,
            _CALIBRATION if self.calibration is None else self.calibration,
            pruning,
            choices,
            self.size,
            make,
        )


def _recommended(
    path: Path,
    options: _Options,
    loaded: RunConfig | None,
    recipe: tuple[Stage, ...],
    across_normalization: bool,
    shown: Console,
) -> "Recommendation":
    from compress.model_files.files import load_model
    from compress.pruning.settings import PruningSettings
    from objectives.budget.recommendation import recommendation
    from search import settings
    from search.strategies.sensitivity_values import SweepLog, sensitivity_values

    model = load_model(path, loaded.model.custom_objects if loaded else None)
    across = PruningSettings(across_normalization=across_normalization)
    pruning = settings.pruning(loaded, model=model) if loaded else across
    source: Recommender
    if loaded is not None and loaded.simple.method == "sensitivity" and not options.given:
        source = sensitivity_values(loaded, model, SweepLog(lambda line: shown.print(line, soft_wrap=True)))
    else:
        source = options.source(model, loaded, recipe, pruning)
    return recommendation(model, source, recipe, pruning, options.size)


def _show(shown: Console, recommended: "Recommendation") -> None:
    from objectives.cost.cost_model import CostModel
    from search.cli import model_tables

    for stage in recommended.recipe:
        pruned = stage == "prune"
        shown.print(
            model_tables.pruned_groups(recommended.groups)
            if pruned
            else model_tables.decomposed_layers(recommended.layers)
        )
    shown.print(model_tables.left_whole(recommended.unpruned, recommended.undecomposed, "Left whole"))
    if len(recommended.recipe) == 2:
        first, second = ("ratios", "ranks") if recommended.recipe[0] == "prune" else ("ranks", "ratios")
        shown.print(f"the {second} are for the model with these {first}", soft_wrap=True)
    model_tables.warn_of_not_exact(shown, recommended.graph)
    if recommended.before is None or recommended.after is None:
        shown.print("FLOPs unknown: the model takes images of any size; give one, --input-size 224", soft_wrap=True)
        return
    shown.print(model_tables.change(recommended.before, recommended.after), soft_wrap=True)
    model_tables.warn_of_uncounted(shown, CostModel(recommended.graph))
