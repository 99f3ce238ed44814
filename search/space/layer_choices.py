"""Choices for single groups and layers, of the section ``space.layers`` of a configuration."""

from compress.errors import ConfigError, ParameterError
from compress.graph.channel_graph import ChannelGraph
from compress.graph.choices import ANY_RANK, Bounds, Choices, LayerChoice
from configs.schema.run import RunConfig
from configs.schema.space import LayerConfig, SpaceConfig, ends


def layer_choices(config: SpaceConfig) -> Choices:
    """The bounds of single groups and layers that a configuration sets."""
    return Choices(tuple(_choice(pattern, choice) for pattern, choice in config.layers.items()))


def check_choices(config: RunConfig, graph: ChannelGraph) -> None:
    """Refuse choices per layer that do not fit a model.

    Raises:
        ConfigError: names the pattern and the reason.
    """
    try:
        layer_choices(config.space).check(graph)
    except ParameterError as error:
        raise ConfigError(f"space.layers: {error}") from None


def _choice(pattern: str, config: LayerConfig) -> LayerChoice:
    ratio = None if config.ratio is None else Bounds(*ends(config.ratio))
    sides = [config.rank if side is None else side for side in (config.rank_in, config.rank_out)]
    rank_in, rank_out = (ANY_RANK if side is None else Bounds(*ends(side)) for side in sides)
    return LayerChoice(pattern, ratio, (rank_in, rank_out) if config.has_ranks else None)
