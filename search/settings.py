"""Turns the sections of a configuration into the settings and objects of packages that do not know configurations."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from compress.errors import ConfigError
from compress.parameters import ChannelStep
from compress.pruning.criteria.nuclear_norm import NuclearNorm
from compress.pruning.criterion import Criterion
from compress.pruning.registry import make_criterion
from compress.pruning.settings import PruningSettings
from configs.schema.data import DataConfig, TaskConfig
from configs.schema.run import BudgetConfig, LatencyConfig, PruningConfig, RunConfig
from configs.schema.search import MetricConfig
from configs.schema.training import ClassOfKeras, DistillationConfig, FinetuneConfig, ProxyConfig, TrainingConfig
from objectives.budget.budget import Budget
from objectives.cost.cost import Cost
from objectives.cost.latency import LatencySettings
from objectives.cost.latency_table import LatencyTable
from objectives.cost.quantity import Quantity, quantities
from objectives.fitting.tasks import FittedTask
from objectives.network.distillation import Distillation
from objectives.network.precision import Precision
from objectives.score.fine_tuning import FineTuning
from objectives.score.proxy import ProxySettings
from search.driver.driver_settings import DriverSettings
from search.driver.rungs import Ladder
from search.space.layer_choices import layer_choices
from search.space.space_arrays import SpaceSettings
from zoo.data.batches import Augmentation, CropAndFlip
from zoo.data.dataset import Data, ImageDataset, Normalization, check_model_fits, takes_series
from zoo.data.load import load_dataset
from zoo.data.source import print_warning
from zoo.data.split import drawn
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.metric import Metric
from zoo.tasks.metric_choice import choose_metric
from zoo.tasks.own_task import OwnTask
from zoo.tasks.registry import make_task
from zoo.tasks.task import Task, is_one_unit
from zoo.training.augmentation import KerasAugmentation
from zoo.training.schedule import Schedule
from zoo.training.training import TrainingSettings


def data(config: RunConfig, model: Any, warn: Callable[[str], None] = print_warning) -> Data:
    """The data of a configuration: a data set, or a task of the user's own that loads its data itself.

    Args:
        config: of the run.
        model: that the data must fit; None to check nothing.
        warn: called with a line on files of the source that are not read.

    Raises:
        ConfigError: an unknown task, or options that it refuses.
        DataError: missing, corrupt or ill-shaped data, or images that the model does not take.
        TaskError: a task of the user's own that cannot score the model.
    """
    if config.task is not None and config.task.is_fitted:
        fitted = _fitted_task(config, config.task)
        return fitted if model is None else fitted.fitted(model)
    if config.own_task is None:
        loaded = dataset(config, warn, model)
        if model is not None:
            check_model_fits(loaded, model)
        return loaded
    task = OwnTask.load(config.own_task.name, config.own_task.options)
    if config.proxy.reconstruction_images:
        task.images(1)
    return task if model is None else task.fitted(model)


def _fitted_task(config: RunConfig, task: TaskConfig) -> OwnTask:
    model, tuning = config.model, config.finetune
    return FittedTask(
        Path(str(model.path)),
        model.custom_objects,
        config.source,
        config.seed,
        DataConfig.model_fields["validation"].default if config.data is None else config.data.validation,
        training(tuning, config.seed) if tuning.epochs else None,
    ).make(task.name, task.options, _keras_class(config.proxy.optimizer))


def dataset(config: RunConfig, warn: Callable[[str], None] = print_warning, model: Any = None) -> ImageDataset:
    """The data set that a configuration names, for its task.

    Args:
        config: of the run.
        warn: called with a line on files of the source that are not read.
        model: for which the data are loaded: arrays of three axes are series if it takes series, else images; None for
            a model of the zoo, which takes images.

    Raises:
        ConfigError: an unknown task, or options that it refuses.
        DataError: missing, corrupt or ill-shaped data.
    """
    if config.data is None:
        raise ConfigError(f"data: expected a section with a source for the zoo's models, received task: {config.task}")
    section, seed, normalization = config.data, config.seed, None
    if section.scale is not None and section.mean is not None and section.std is not None:
        normalization = Normalization(section.scale, section.mean, section.std)
    return load_dataset(
        section.source,
        validation=section.validation,
        seed=seed,
        image_size=section.image_size,
        normalization=normalization,
        exif_orientation=section.exif_orientation,
        series=model is not None and takes_series(model),
        in_memory=1e9 * section.in_memory,
        train_limit=section.train_limit,
        test_limit=section.test_limit,
        task=None if config.task is None else make_task(config.task.name, config.task.options),
        warn=warn,
    )


def training(config: TrainingConfig, seed: int) -> TrainingSettings:
    """The settings of a training or a fine-tuning."""
    return TrainingSettings(
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        batch_size=config.batch_size,
        optimizer=_keras_class(config.optimizer),
        schedule=Schedule(config.schedule.name, config.schedule.options),
        loss=None if config.loss is None else _keras_class(config.loss),
        class_weights=config.class_weights,
        augmentation=_augmentation(config),
        seed=seed,
        early_stopping=config.early_stopping,
        precision=None if config.precision == "auto" else config.precision,
        devices=config.devices,
    )


def _augmentation(config: TrainingConfig) -> Augmentation | None:
    if config.augment is None:
        return None
    cropped = CropAndFlip(config.augment.padding, config.augment.flip)
    layers = tuple(_keras_class(layer) for layer in config.augment.layers)
    return KerasAugmentation(layers, cropped) if layers else cropped


def check_training(config: TrainingConfig, data: Data, model: Any) -> None:
    """Refuse a training that does not fit the data set or the model's outputs, or that Keras does not know.

    A task of the user's own is not checked.

    Raises:
        ConfigError: names the key and what to change.
        ModelError: the model's outputs do not fit the task.
    """
    if not config.epochs or isinstance(data, OwnTask):
        return
    try:
        made = training(config, 0)
        made.check(data)
        data.task.training_loss(model, made.loss, mixed=made.mixes)
    except ConfigError as error:
        section = "finetune" if isinstance(config, FinetuneConfig) else "training"
        raise ConfigError(f"{section}.{error}") from error


def metric(config: MetricConfig | None, task: Task | OwnTask, model: Any = None) -> Metric:
    """The metric that candidates are ranked by.

    Args:
        config: of the metric; None for the task's first one.
        task: of the model.
        model: whose outputs are measured; None for a model with an output for each class.

    Raises:
        ConfigError: an unknown metric, or one that cannot rank such outputs.
    """
    if config is None:
        return task.metric(None) if isinstance(task, OwnTask) else task.metrics[0]
    if isinstance(task, OwnTask):
        if config.options or config.labels is not None:
            raise ConfigError(f"search.metric: expected no options or labels for a figure of {task.name}; remove them")
        return task.metric(config.name, config.direction)
    one_unit = model is not None and is_one_unit(task, model)
    return choose_metric(
        config.name, task, options=config.options, labels=config.labels, direction=config.direction, one_unit=one_unit
    )


def proxy(config: ProxyConfig, seed: int, ranked_by: Metric | None = None) -> ProxySettings:
    """The settings of the proxy, by which trials are judged."""
    plain = config.model_dump(exclude={"distillation", "optimizer", "precision"})
    return ProxySettings(
        **plain,
        optimizer=_keras_class(config.optimizer),
        seed=seed,
        metric=ranked_by,
        distillation=_distillation(config.distillation),
        precision=None if config.precision == "auto" else Precision(config.precision),
    )


def fine_tuning(config: FinetuneConfig, seed: int) -> FineTuning:
    """The fine-tuning of final models after each stage."""
    return FineTuning(training(config, seed), _distillation(config.distillation), config.timeout)


def final(config: RunConfig) -> FineTuning:
    """The fine-tuning of finalists after each stage: that of final models with ``finals.epochs`` at most."""
    epochs = min(config.finals.epochs, config.finetune.epochs)
    return fine_tuning(config.finetune.model_copy(update={"epochs": epochs}), config.seed)


def _distillation(config: DistillationConfig | None) -> Distillation | None:
    return None if config is None else Distillation(**config.model_dump())


def budget(config: BudgetConfig, original: Cost, table: LatencyTable | None = None) -> Budget:
    """The budget of a configuration for a model with this cost.

    Args:
        config: the section ``budget``.
        original: cost of the original model.
        table: predicts latency; None where latency is not limited.

    Raises:
        BudgetError: an amount that is malformed or above the original.
    """
    measured = original if table is None else replace(original, latency=table.original)
    return Budget.parse(config.amounts, measured, table)


def latency(config: LatencyConfig) -> LatencySettings:
    """The settings by which latency is measured."""
    return LatencySettings(**config.model_dump())


def limited_quantities(config: BudgetConfig) -> list[Quantity]:
    """The quantities that a budget limits."""
    return [quantity for name, quantity in quantities().items() if name in config.amounts]


def space(config: RunConfig) -> SpaceSettings:
    """The grid and the bounds of the search space."""
    section, step = config.space, channel_step(config.pruning)
    return SpaceSettings(section.ratio_max, section.ratio_step, section.rank_step, step, layer_choices(section))


def channel_step(config: PruningConfig) -> ChannelStep:
    """What kept channels are rounded to."""
    return ChannelStep(config.step, config.rounding)


def pruning(config: RunConfig, data: Data | None = None, model: Any = None) -> PruningSettings:
    """How the channels to be removed are chosen.

    Criteria on feature maps need training images: of ``data``, or, where that is None, of data loaded for ``model``.

    Raises:
        DataError: missing, corrupt or ill-shaped data.
    """
    section = config.pruning
    return PruningSettings(
        criterion=_criterion(config, data, model),
        layer_norm=section.layer_norm,
        group_policy=section.group_policy,
        policy=section.policy,
        step=channel_step(section),
        across_normalization=section.across_normalization,
    )


def feature_maps(config: RunConfig, data: Data) -> Criterion | None:
    """The criterion that scores channels by their feature maps; None for data without images."""
    if isinstance(data, OwnTask) and not data.has_images:
        return None
    return NuclearNorm(_images(config, data))


def _criterion(config: RunConfig, given: Data | None, model: Any) -> Criterion:
    def images() -> tuple[Any, ...]:
        return _images(config, data(config, model) if given is None else given)

    return make_criterion(config.pruning.criterion, images)


def _images(config: RunConfig, data: Data) -> tuple[Any, ...]:
    return (drawn(data, config.pruning.images, config.seed),)


def driver(config: RunConfig, ranked_by: Metric) -> DriverSettings:
    """The settings of the driver: how proposals are made and ranked."""
    section, sampler = config.search, config.search.sampler
    ladder = Ladder((config.proxy.steps, *config.rungs.steps), config.rungs.one_in)
    made = DriverSettings(config.seed, sampler.name, section.trials, section.projection, ranked_by, ladder)
    return replace(made, sampler_options=sampler.options, early_stopping=section.early_stopping)


def _keras_class(config: ClassOfKeras) -> KerasClass:
    return KerasClass(config.name, config.options)
