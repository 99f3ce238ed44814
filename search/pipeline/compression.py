"""Simple compression of a model, without a search: by the user's own values or by recommended ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.errors import ParameterError, RunError
from compress.graph.analysis import analyse
from compress.graph.frozen import unfrozen
from compress.graph.model_channels import ModelChannels, check_made_for
from compress.graph.sizes import ImageSize, takes_any_size
from compress.model_files.files import load_model, save_model
from compress.parameter_files.files import read_parameters, write_parameters
from compress.parameter_files.format import ParameterFile
from compress.parameters import DEFAULT_RECIPE, CompressionParameters, Stage
from compress.pruning.settings import PruningSettings
from compress.recipe import Values, check_parameters, compress_in_stages, own_values
from compress.recommend.inner import InnerRatios
from compress.recommend.recommend import RatioRecommender
from configs.schema.run import RunConfig
from objectives.budget.recommended import BudgetValues, GlobalValues, MakeRatios, Recommender, silent, stage_values
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from objectives.cost.latency_table import LatencyTable
from search import settings
from search.driver.listeners.trackers import check_trackers
from search.pipeline.measuring import measure, measure_and_keep, measure_original
from search.pipeline.resumable_training import ResumableTraining
from search.runs.kept_finals import Wanted, never, of_parameters, of_recommended, taken_from_finals
from search.runs.results import INNER, SEARCH, SENSITIVITY, SIMPLE, Result, check_names
from search.runs.run_folder import RunFolder
from search.space.layer_choices import check_choices, layer_choices
from search.strategies.preparation import latency_table, warn_of_frozen, warn_of_not_exact
from search.strategies.sensitivity_values import SweepLog, sensitivity_values


@dataclass(frozen=True)
class Compressed:
    """A compressed model.

    Attributes:
        path: of its file.
        result: its figures.
        parameters: the ratios and ranks that it was compressed with.
    """

    path: Path
    result: Result
    parameters: CompressionParameters


def read_own(paths: Sequence[Path]) -> ParameterFile:
    """The user's own values from parameter files.

    Raises:
        ParameterError: files that cannot be read, or that contain no ratio above 0 and no ranks.
    """
    own = read_parameters(paths)
    if not own.parameters.ranks and not any(own.parameters.ratios.values()):
        names = ", ".join(f"'{path}'" for path in paths)
        raise ParameterError(f"expected a ratio above 0 or a rank pair, received none in {names}; add one")
    return own


def compress_without_data(
    model_path: Path,
    parameters: CompressionParameters,
    out: Path,
    log: Callable[[str], None] = silent,
    *,
    made_for: ModelChannels | None = None,
    across_normalization: bool = False,
    image_size: ImageSize | None = None,
) -> Compressed:
    """Prune and decompose a model without fine-tuning, so without data.

    Args:
        model_path: file of the original model.
        parameters: ratios and ranks.
        out: the new ``.keras`` file.
        log: called with a line on pruning that is not exact.
        made_for: channels of the model that the parameters were made for; another model is refused. None if unknown.
        across_normalization: whether channels over which a layer normalizes may be removed.
        image_size: at which FLOPs are counted, of a model that takes images of any size; without it they are unknown.

    Raises:
        ModelError, ParameterError: the model, the size or the parameters cannot be used.
        RunError: the output exists already, is no ``.keras`` file, or cannot be written.
    """
    if out.exists() or out.suffix != ".keras":
        raise RunError(f"expected a new .keras file as --out, received '{out}'; choose another name")
    original = load_model(model_path)
    graph = analyse(original, across_normalization, image_size)
    check_made_for(graph, made_for)
    check_parameters(graph, parameters, DEFAULT_RECIPE)
    warn_of_not_exact(graph, DEFAULT_RECIPE, log)
    if image_size is not None or not takes_any_size(original):
        CostModel(graph)  # Refuses a model that could not be measured afterwards, before anything is written.
    pruning = PruningSettings(across_normalization=across_normalization)
    made = compress_in_stages(original, own_values(parameters), DEFAULT_RECIPE, pruning=pruning)
    try:
        path = save_model(made.model, out)
    except OSError as error:
        raise RunError(f"'{out}' cannot be written ({error.strerror}); give another --out") from error
    return Compressed(path, measure(made.model, SEARCH, image_size=image_size), made.parameters)


def compress_own(
    model_path: Path,
    parameters: CompressionParameters,
    config: RunConfig,
    log: Callable[[str], None] = silent,
    label: str = SEARCH,
    made_for: ModelChannels | None = None,
    *,
    retrain: bool = False,
) -> Compressed:
    """Simple compression with the user's own values, fine-tuned after each stage as the configuration says.

    Where the finals of this run have done exactly that, their model is taken.

    Args:
        model_path: file of the original model.
        parameters: ratios and ranks.
        config: of the run, to whose folder the model is written.
        log: called with lines on the progress.
        label: of the result; the model's file is ``<label>.keras``.
        made_for: channels of the model that the parameters were made for; another model is refused. None if unknown.
        retrain: fine-tune in any case.

    Raises:
        TuckpruneError: bad model, parameters, data, or run folder.
    """
    original = load_model(model_path, config.model.custom_objects)
    graph = analyse(original, config.pruning.across_normalization)
    check_made_for(graph, made_for)
    check_parameters(graph, parameters, config.recipe, settings.channel_step(config.pruning))
    wanted = never if retrain else of_parameters(parameters)
    return _compress(original, model_path, lambda pruning, size: own_values(parameters), config, log, label, wanted)


def compress_recommended(
    model_path: Path, config: RunConfig, log: Callable[[str], None] = silent, *, retrain: bool = False
) -> Compressed:
    """Simple compression with recommended values.

    They are SLAMP's ratios, or with ``simple.method: inner`` equal ones within residual blocks, and VBMF's ranks at
    ``simple.ratio`` or else at the budget; with ``sensitivity`` the values of a sensitivity sweep. Where the finals of
    this run have fine-tuned them exactly as it would be done here, their model is taken.

    Args:
        model_path: file of the original model.
        config: of the run, to whose folder the model is written.
        log: called with lines on the progress.
        retrain: fine-tune in any case.

    Raises:
        TuckpruneError: bad model, budget, data, or run folder.
    """
    original = load_model(model_path, config.model.custom_objects)
    if config.simple.method == SENSITIVITY:
        swept = sensitivity_values(config, original, SweepLog(log))
        wanted = never if retrain else of_parameters(swept.parameters)
        return _compress(
            original, model_path, lambda pruning, size: stage_values(swept), config, log, SENSITIVITY, wanted
        )

    def values(pruning: PruningSettings, size: ImageSize | None) -> Values:
        return stage_values(configured(original, config, pruning, size), log)

    if config.simple.method == INNER:
        return _compress(original, model_path, values, config, log, INNER, never)
    wanted = never if retrain or config.simple.ratio is not None else of_recommended
    return _compress(original, model_path, values, config, log, SIMPLE, wanted)


def configured(
    original: Any, config: RunConfig, pruning: PruningSettings, image_size: ImageSize | None = None
) -> Recommender:
    """The recommender of a configuration: at ``simple.ratio``, or else at the budget; within its choices per layer.

    Args:
        original: the original model.
        config: of the run.
        pruning: how the channels to be removed are chosen.
        image_size: at which cost is counted, of a model that takes images of any size.

    Raises:
        BudgetError: a budget that is malformed or above the original.
        ConfigError: a choice per layer that does not fit the model.
    """
    check_choices(config, analyse(original, pruning.across_normalization))
    choices, make = layer_choices(config.space), ratios_by(config.simple.method)
    if config.simple.ratio is not None:
        return GlobalValues(config.simple.ratio, config.simple.calibration, pruning, choices, image_size, make)
    table = latency_table(config, original, image_size)
    cost = cost_of(original, table, image_size)
    budget = settings.budget(config.budget, cost, table)
    return BudgetValues(config.recipe, budget, cost, pruning, choices, image_size, make)


def ratios_by(method: str | None) -> MakeRatios:
    """What makes the ratios of a method without a sweep: of ``inner``, or else of SLAMP."""
    return InnerRatios.of if method == INNER else RatioRecommender.of


def cost_of(model: Any, table: LatencyTable | None = None, image_size: ImageSize | None = None) -> Cost:
    """Cost of a model; of one that takes images of any size, at ``image_size``."""
    return CostModel(analyse(model, image_size=image_size), table).cost(CompressionParameters.none())


def _compress(
    original: Any,
    model_path: Path,
    values: Callable[[PruningSettings, ImageSize | None], Values],
    config: RunConfig,
    log: Callable[[str], None],
    label: str,
    wanted: Wanted,
) -> Compressed:
    check_trackers(config.log_to)
    folder = RunFolder.of(config)
    data = settings.data(config, original)
    check_names(data.task.metrics)
    settings.check_training(config.finetune, data, original)
    # Refuses a metric that cannot be measured before any training.
    settings.metric(config.search.metric, data.task, original)
    pruning = settings.pruning(config, data)
    chosen = values(pruning, data.image_size)
    graph = analyse(original, pruning.across_normalization)
    if config.finetune.epochs:
        warn_of_frozen(config, original, graph, log)
    warn_of_not_exact(graph, config.recipe, log)
    source = original
    if config.finetune.unfreeze:
        source = unfrozen(original, config.recipe, pruning.across_normalization)
    with folder.opened(config):
        # Measured every time: the original may be another model than that of the last compression.
        measure_original(model_path, data, folder, config)
        training = ResumableTraining(config, folder, data, log)
        made = taken_from_finals(config, folder, original, data, wanted, log) or compress_in_stages(
            source,
            chosen,
            config.recipe,
            fine_tune=_fine_tuner(training, original, label),
            pruning=pruning,
        )
        path = save_model(made.model, folder.path / f"{label}.keras")
        result = measure_and_keep(made.model, label, data, folder, config)
        write_parameters(
            made.parameters,
            folder.path / f"{label}-parameters",
            graph,
            config.recipe,
            pruning.step,
        )
        training.forget(*(f"{label}-{stage}" for stage in config.recipe))
        return Compressed(path, result, made.parameters)


def _fine_tuner(training: ResumableTraining, original: Any, label: str) -> Callable[[Any, Stage], None]:
    config = training.config

    def fine_tune(model: Any, stage: Stage) -> None:
        done, epochs = {"prune": "pruning", "decompose": "decomposition"}[stage], config.finetune.epochs
        cost = cost_of(model, image_size=training.data.image_size)
        tuning = f"fine-tuning for {epochs} epoch{'s' if epochs > 1 else ''}" if epochs else "no fine-tuning"
        training.log(f"after {done}: {cost.flops / 1e6:.2f} MFLOPs; {tuning}")
        if epochs:
            training(f"{label}-{stage}", model, settings.fine_tuning(config.finetune, config.seed), original)

    return fine_tune
