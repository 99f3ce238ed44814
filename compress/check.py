"""Checks of parameters against a model before anything is built or trained."""

from collections.abc import Sequence

from compress.channel_counts import ChannelCounts
from compress.channel_step import SINGLE_CHANNELS, ChannelStep
from compress.errors import ParameterError
from compress.graph import ChannelGraph
from compress.group import Ratios
from compress.naming import decomposed_layer
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
    counts = ChannelCounts.of(graph)
    check_ranks(graph, parameters.ranks)
    kept = counts.kept_blocks(_ratios_of_original(parameters, recipe), step)
    if not parameters.ranks or recipe[0] == DECOMPOSE:
        return
    for name, pair in parameters.ranks.items():
        site = graph.site(name)
        channels = (counts.count(site.inputs[0], kept), counts.count(site.output, kept))
        for what, rank, left in zip(("In", "Out"), pair, channels, strict=True):
            if rank > left:
                raise ParameterError(
                    f"{what} Rank of '{name}': expected at most the {left} channels that pruning leaves, "
                    f"received {rank}; lower it"
                )


def _ratios_of_original(parameters: CompressionParameters, recipe: Sequence[Stage]) -> Ratios:
    """Ratios without those of the parts of decomposed layers, which exist only once the first stage has made them."""
    if recipe[0] != DECOMPOSE:
        return parameters.ratios
    return {name: ratio for name, ratio in parameters.ratios.items() if decomposed_layer(name) not in parameters.ranks}
