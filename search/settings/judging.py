"""Turns the sections ``proxy``, ``rungs`` and ``search`` of a configuration into how candidates are judged."""

from dataclasses import replace
from typing import Any

from compress.errors import ConfigError
from configs.schema.run import RunConfig
from configs.schema.search import MetricConfig
from configs.schema.training import ProxyConfig
from objectives.network.precision import Precision
from objectives.score.proxy import ProxySettings
from search.driver.driver_settings import DriverSettings
from search.driver.rungs import Ladder
from search.settings.fitting import distillation, keras_class
from zoo.tasks.metric import Metric
from zoo.tasks.metric_choice import choose_metric
from zoo.tasks.own_task import OwnTask
from zoo.tasks.task import Task, is_one_unit


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
        optimizer=keras_class(config.optimizer),
        seed=seed,
        metric=ranked_by,
        distillation=distillation(config.distillation),
        precision=None if config.precision == "auto" else Precision(config.precision),
    )


def driver(config: RunConfig, ranked_by: Metric) -> DriverSettings:
    """The settings of the driver: how proposals are made and ranked."""
    section, sampler = config.search, config.search.sampler
    ladder = Ladder((config.proxy.steps, *config.rungs.steps), config.rungs.one_in)
    made = DriverSettings(config.seed, sampler.name, section.trials, section.projection, ranked_by, ladder)
    return replace(made, sampler_options=sampler.options, early_stopping=section.early_stopping)
