"""The preparation of a search: data, space, budget, levels of a front, latency table, and checks before it starts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from compress.cloning.walk import as_functional
from compress.errors import BudgetError, ConfigError, DataError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.frozen import changeable_layers, frozen_layers
from compress.graph.naming import not_exact
from compress.graph.sizes import ImageSize, at_size
from compress.parameters import PRUNE, CompressionParameters, Stage
from configs.schema.run import RunConfig
from objectives.budget.budget import Budget, Limit
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from objectives.cost.latency_fit import measured_table
from objectives.cost.latency_table import LatencyTable
from objectives.cost.quantities.standard import LATENCY
from objectives.cost.quantity import quantities
from search import settings
from search.driver.listeners.listener import Listener
from search.driver.listeners.trackers import check_trackers
from search.runs.results import check_names
from search.runs.run_folder import RunFolder
from search.samplers.check import check_sampler
from search.samplers.sampler import SamplerContext
from search.space.layer_choices import check_choices
from search.space.levels import Levels
from search.space.projection import Projection
from search.space.space import SearchSpace
from search.strategies.earlier_run import earlier_run
from search.strategies.job import Job
from zoo.data.checks import USUAL, value_problem
from zoo.data.dataset import Data, ImageDataset, Split
from zoo.data.split import drawn_numbers
from zoo.tasks.own_task import OwnTask
from zoo.training.evaluation import predict

_NAMED = 4
"""Layers that a warning names, at most."""

_MOST_IMAGES, _FEWEST_IMAGES, _MOST_PIXELS = 1000, 64, 2**22
"""Validation images that the original is checked on, at most and at least, and their pixels in all, at most.

2**22 pixels are 83 images of 224x224, which EfficientNetB0 takes three seconds for.
"""

_BATCH = 32
"""Images of one call."""


def prepared(config: RunConfig, model: Any, listener: Listener, data: Data | None = None) -> Job:
    """The search that a configuration describes, checked before anything is trained.

    Args:
        config: of the run.
        model: the original model.
        listener: receives warnings, and then follows the search.
        data: of the configuration, where they are loaded already; None to load them.

    Raises:
        TuckpruneError: bad data, an impossible budget, a sampler that does not fit the space, or an earlier run that
            cannot be reused.
    """
    check_trackers(config.log_to)
    data = settings.data(config, model, listener.warned) if data is None else data
    check_names(data.task.metrics)
    settings.check_training(config.finetune, data, model)
    table = latency_table(config, model, data.image_size)
    graph = analyse(model, config.pruning.across_normalization, data.image_size)
    space = search_space(config, CostModel(graph, table))
    warn_of_not_exact(graph, config.recipe, listener.warned)
    warn_of_uncounted(space.cost, listener.warned)
    warn_of_frozen(config, model, space.graph, listener.warned)
    original = space.cost.cost(CompressionParameters.none())
    budget = settings.budget(config.budget, original, table)
    levels = front_levels(config, budget, original)
    Projection(space, budget).check_reachable()
    metric = settings.metric(config.search.metric, data.task, model)
    sampler = config.search.sampler
    context = SamplerContext(config.seed, space, budget, levels, projection=config.search.projection)
    check_sampler(sampler.name, sampler.options, context, front=levels is not None)
    pruning = settings.pruning(config, data)
    return Job(config, model, data, space, budget, pruning, metric, listener, earlier_run(config, model), levels)


def search_space(config: RunConfig, cost: CostModel) -> SearchSpace:
    """The search space of a model, with the choices per layer of a configuration.

    Raises:
        ConfigError: a choice that does not fit the model, or choices that leave nothing to search.
    """
    space = SearchSpace(cost, settings.space(config), config.recipe)
    check_choices(config, space.graph)
    if config.space.layers and not space.dimensions:
        raise ConfigError(
            "space.layers: expected something left to search, received choices that fix all ratios and ranks; give one"
            " of them bounds, or apply the values themselves: tuckprune compress --params"
        )
    return space


def warn_of_frozen(config: RunConfig, model: Any, graph: ChannelGraph, warn: Callable[[str], None]) -> None:
    """Warn of frozen layers that compression can change, and say whether they will be trained."""
    changed = changeable_layers(graph, config.recipe)
    names = [name for name in frozen_layers(as_functional(model)) if name in changed]
    if not names:
        return
    advice = (
        "will be trained all the same; finetune.unfreeze: false leaves them as they are"
        if config.finetune.unfreeze
        else "will not be trained, which costs accuracy; finetune.unfreeze: true trains them"
    )
    warn(f"frozen layers that compression can change ({len(names)}: {_some(names)}) {advice}")


def warn_of_not_exact(graph: ChannelGraph, recipe: Sequence[Stage], warn: Callable[[str], None]) -> None:
    """Warn of layers behind which pruning is not exact."""
    if graph.not_exact and PRUNE in recipe:
        warn(not_exact(graph.not_exact))


def warn_of_uncounted(cost: CostModel, warn: Callable[[str], None]) -> None:
    """Warn of layers whose FLOPs cannot be counted."""
    if cost.uncounted:
        warn(
            f"counted as 0 FLOPs because their type is not known ({len(cost.uncounted)}: {_some(cost.uncounted)}): "
            "a budget of FLOPs limits the others only"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def front_levels(config: RunConfig, limits: Budget, original: Cost) -> Levels | None:
    """The levels of a front; None for a configuration without one.

    Args:
        config: of the run.
        limits: its budget.
        original: cost of the original model.

    Raises:
        BudgetError: a widest limit that is malformed, above the original, or not above the budget's.
    """
    section = config.front
    if section is None:
        return None
    quantity = quantities()[section.quantity]
    measured = original if limits.table is None else replace(original, latency=limits.table.original)
    try:
        widest = Limit.parse(quantity, section.widest, quantity.of(measured))
    except BudgetError as error:
        raise BudgetError(str(error).replace(f"budget.{quantity.name}:", "front.widest:")) from None
    return Levels.between(limits, widest, section.levels, measured)


def latency_table(config: RunConfig, model: Any, image_size: ImageSize | None = None) -> LatencyTable | None:
    """The run's table, measured on this machine where the run has none yet; None where latency is not limited.

    Args:
        config: of the run.
        model: its original model.
        image_size: at which a model that takes images of any size is measured.

    Raises:
        ModelError: the model cannot be run for the measurement.
        RunError: the run's table cannot be read.
    """
    if LATENCY.name not in config.budget.amounts:
        return None
    path = RunFolder.of(config).latency_table
    if path.exists():
        return LatencyTable.read(path)
    across = config.pruning.across_normalization
    return measured_table(at_size(model, image_size), settings.latency(config.latency), across_normalization=across)


def keep_latency_table(table: LatencyTable | None, folder: RunFolder) -> None:
    """Write a latency table into the run folder, for a resumed search and for compression."""
    if table is not None and not folder.latency_table.exists():
        table.write(folder.latency_table)


def check_original(model: Any, dataset: Data, seed: int, warn: Callable[[str], None]) -> None:
    """Warn where the original model scores suspiciously low on a sample of validation images.

    It is either untrained, or was trained with another normalization or other targets. Tasks of the user's own are not
    checked.

    Raises:
        DataError: the score is suspicious, and so are the pixel values after normalization.
    """
    if isinstance(dataset, OwnTask):
        return
    sample = sample_of_validation(dataset, seed)
    outputs = predict(model, sample, dataset.normalization, _BATCH)
    finding = dataset.task.doubt(sample.targets, dataset.task.activated(outputs, dataset.task.loss(model).from_logits))
    if finding is None:
        return
    problem = value_problem(dataset, USUAL)
    if problem is not None:
        raise DataError(f"{finding}: {problem}")
    warn(
        f"data set {dataset.name!r}: {finding}: check that it is trained, what the targets mean, and data.scale, "
        "data.mean and data.std"
    )


def sample_of_validation(dataset: ImageDataset, seed: int) -> Split:
    """At most 1,000 validation images, drawn by the seed; fewer of large images, but enough to tell from chance."""
    split = dataset.validation
    # One image suffices where the task gives an answer for each pixel.
    fewest = 1 if dataset.task.moves else _FEWEST_IMAGES
    count = min(_MOST_IMAGES, len(split), max(fewest, _MOST_PIXELS // prod(split.images.shape[1:-1])))
    return Split(*split.at(drawn_numbers(split, count, seed)))
