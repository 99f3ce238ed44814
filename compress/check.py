"""Checks of parameters against a model before anything is built or trained."""

from collections.abc import Sequence

from compress.channel_step import SINGLE_CHANNELS, ChannelStep
from compress.errors import ParameterError
from compress.graph import ChannelGraph
from compress.model_channels import ModelChannels
from compress.parameters import CompressionParameters
from compress.recipe import DECOMPOSE, PRUNE, Stage
from compress.tucker import check_ranks


def check_parameters(
    graph: ChannelGraph,
    parameters: CompressionParameters,
    recipe: Sequence[Stage],
    step: ChannelStep = SINGLE_CHANNELS,
) -> None:
    """Refuse parameters that do not fit a model under a recipe.

    Raises:
        ParameterError: an unknown or excluded layer, a rank above the channels that its layer has at that stage, or
            parameters that no stage of the recipe uses.
    """
    for what, values, stage in (("ratios", parameters.ratios, PRUNE), ("ranks", parameters.ranks, DECOMPOSE)):
        if values and stage not in recipe:
            raise ParameterError(
                f"expected no {what} under the recipe {list(recipe)}, received {len(values)}; add '{stage}' to it"
            )
    check_ranks(graph, parameters.ranks)
    channels = ModelChannels.at_stages(graph, parameters, recipe, step).layers
    for name, pair in parameters.ranks.items():
        for what, rank, left in zip(("In", "Out"), pair, channels[name], strict=True):
            if rank > left:
                raise ParameterError(
                    f"{what} Rank of '{name}': expected at most the {left} channels that pruning leaves, "
                    f"received {rank}; lower it"
                )
