"""Turns the sections of a configuration that limit and round cost into a budget, a grid and a measurement."""

from dataclasses import replace

from compress.parameters import ChannelStep
from configs.schema.run import BudgetConfig, LatencyConfig, PruningConfig, RunConfig
from objectives.budget.budget import Budget
from objectives.cost.cost import Cost
from objectives.cost.latency import LatencySettings
from objectives.cost.latency_table import LatencyTable
from objectives.cost.quantity import Quantity, quantities
from search.space.layer_choices import layer_choices
from search.space.space_arrays import SpaceSettings


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


def channel_step(config: PruningConfig) -> ChannelStep:
    """What kept channels are rounded to."""
    return ChannelStep(config.step, config.rounding)


def space(config: RunConfig) -> SpaceSettings:
    """The grid and the bounds of the search space."""
    section, step = config.space, channel_step(config.pruning)
    return SpaceSettings(section.ratio_max, section.ratio_step, section.rank_step, step, layer_choices(section))
