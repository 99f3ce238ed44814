"""Turns the sections ``data`` and ``task`` of a configuration into the data that a model is trained and scored on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from compress.errors import ConfigError
from configs.schema.data import DataConfig, TaskConfig
from configs.schema.run import RunConfig
from objectives.fitting.tasks import FittedTask
from search.settings.fitting import keras_class, training
from zoo.data.dataset import Data, ImageDataset, Normalization, check_model_fits, takes_colours, takes_series
from zoo.data.load import load_dataset
from zoo.data.source import print_warning
from zoo.tasks.own_task import OwnTask
from zoo.tasks.registry import make_task


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
    ).make(task.name, task.options, keras_class(config.proxy.optimizer))


def dataset(config: RunConfig, warn: Callable[[str], None] = print_warning, model: Any = None) -> ImageDataset:
    """The data set that a configuration names, for its task.

    Args:
        config: of the run.
        warn: called with a line on files of the source that are not read.
        model: for which the data are loaded: arrays of three axes are series if it takes series, else images, and grey
            images of a folder have three channels if it takes these; None for a model of the zoo, which takes any.

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
        colours=model is not None and takes_colours(model),
        in_memory=1e9 * section.in_memory,
        train_limit=section.train_limit,
        test_limit=section.test_limit,
        task=None if config.task is None else make_task(config.task.name, config.task.options),
        warn=warn,
    )
