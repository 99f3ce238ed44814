"""Turns the section ``pruning`` of a configuration into how the channels that go are chosen."""

from typing import Any

from compress.pruning.criteria.nuclear_norm import NuclearNorm
from compress.pruning.criterion import Criterion
from compress.pruning.registry import make_criterion
from compress.pruning.settings import PruningSettings
from configs.schema.run import RunConfig
from search.settings.cost import channel_step
from search.settings.source import data
from zoo.data.dataset import Data
from zoo.data.split import drawn
from zoo.tasks.own_task import OwnTask


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
