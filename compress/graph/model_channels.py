"""Channels of a model's groups and convolutions: what parameters are made for, small enough to store with them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from compress.errors import ParameterError
from compress.graph.channel_graph import ChannelCounts, ChannelGraph
from compress.graph.group import Ranks, Ratios
from compress.graph.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX, decomposed_layer
from compress.parameters import DECOMPOSE, SINGLE_CHANNELS, ChannelStep, CompressionParameters, Stage

Value = TypeVar("Value")


@dataclass(frozen=True)
class ModelChannels:
    """The fingerprint that ties parameters to a model.

    groups: group name -> channels of the group.
    layers: decomposable layer name -> (input channels, output channels).
    """

    groups: Mapping[str, int]
    layers: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, graph: ChannelGraph) -> "ModelChannels":
        """The channels of the model as it is."""
        groups = {group.name: group.channels for group in graph.groups}
        return cls(groups, {layer.layer: (layer.in_channels, layer.out_channels) for layer in graph.decomposable})

    @classmethod
    def at_stages(
        cls,
        graph: ChannelGraph,
        parameters: CompressionParameters,
        recipe: Sequence[Stage],
        step: ChannelStep = SINGLE_CHANNELS,
    ) -> "ModelChannels":
        """The channels that each stage finds: the second stage works on what the first one has made.

        Raises:
            ParameterError: an unknown or excluded group, or two names of the same group.
        """
        original = cls.of(graph)
        counts = ChannelCounts.of(graph)
        kept = counts.kept_subgroups(ratios_of_original(parameters, recipe), step)
        if recipe[0] == DECOMPOSE:
            return cls({**_renamed(original.groups, parameters.ratios), **_parts(parameters.ranks)}, original.layers)
        nodes = {name: graph.node(name) for name in original.layers}
        layers = {
            name: (counts.count(node.inputs[0], kept), counts.count(node.output, kept)) for name, node in nodes.items()
        }
        return cls(original.groups, layers)


def check_made_for(graph: ChannelGraph, made_for: ModelChannels | None) -> None:
    """Refuse parameters that were made for another model; None is a file that does not say.

    Raises:
        ParameterError: names the first difference.
    """
    if made_for is None:
        return
    here = ModelChannels.of(graph)
    # Normalization across channels only adds groups, which parameters that were made without it leave whole.
    added = set(here.groups) - set(made_for.groups) if graph.across_normalization else set()
    groups = {name: channels for name, channels in here.groups.items() if name not in added}
    differences = [
        *_differences("group", groups, made_for.groups, lambda channels: f"{channels} channels"),
        *_differences("layer", here.layers, made_for.layers, lambda pair: f"{pair[0]} -> {pair[1]} channels"),
    ]
    if differences:
        across = not graph.across_normalization and not all(node.exact for node in graph.nodes)
        hint = ", or prune across normalization if they were made so (pruning.across_normalization)" if across else ""
        more = f" (and {len(differences) - 1} more differences)" if len(differences) > 1 else ""
        raise ParameterError(
            f"expected the model that the parameters were made for, received another one: {differences[0]}{more}; "
            f"use that model or its own parameters{hint}"
        )


def _differences(
    what: str, here: Mapping[str, Value], there: Mapping[str, Value], shown: Callable[[Value], str]
) -> Iterator[str]:
    for name in dict.fromkeys((*there, *here)):
        if name not in here:
            yield f"there is no {what} {name!r} here, in the file it has {shown(there[name])}"
        elif name not in there:
            yield f"{what} {name!r} has {shown(here[name])} here, the file does not list it"
        elif here[name] != there[name]:
            yield f"{what} {name!r} has {shown(here[name])} here, {shown(there[name])} in the file"


def _renamed(groups: Mapping[str, int], ratios: Ratios) -> dict[str, int]:
    """The groups by the names that ratios use, which may name a decomposed layer by its last part."""
    return {name + LAST_SUFFIX if name + LAST_SUFFIX in ratios else name: channels for name, channels in groups.items()}


def _parts(ranks: Ranks) -> dict[str, int]:
    """The groups that decomposition adds: the two inner tensors of every decomposed layer."""
    return {
        name + suffix: rank
        for name, pair in ranks.items()
        for suffix, rank in zip((FIRST_SUFFIX, CORE_SUFFIX), pair, strict=True)
    }


def ratios_of_original(parameters: CompressionParameters, recipe: Sequence[Stage]) -> Ratios:
    """Ratios without those of the parts of decomposed layers, which exist only once the first stage has made them."""
    if recipe[0] != DECOMPOSE:
        return parameters.ratios
    return {name: ratio for name, ratio in parameters.ratios.items() if decomposed_layer(name) not in parameters.ranks}
