"""Choices per layer: what its ratio and its ranks may be, by patterns of names."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from compress.errors import ParameterError
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Decomposable, Group
from compress.graph.naming import LAST_SUFFIXES, unknown_name

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Bounds:
    """The least and the most that a value may be; equal where it is fixed.

    Of a ratio, both are in [0, 1). Of a rank, a number up to 1 is a fraction of the layer's channels when it is
    decomposed, a whole number above 1 is the rank itself.
    """

    least: float
    most: float

    @property
    def is_fixed(self) -> bool:
        """Whether there is only one value."""
        return self.least == self.most

    def clipped(self, value: float) -> float:
        """The value, or the bound that is nearest to it."""
        return min(self.most, max(self.least, value))

    def ranks(self, channels: int) -> tuple[int, int]:
        """The smallest and the largest rank of so many channels."""
        return _rank(self.least, channels), _rank(self.most, channels)


def _rank(bound: float, channels: int) -> int:
    rank = math.ceil(channels * bound - _ROUNDING) if bound <= 1 else int(bound)
    return min(channels, max(1, rank))


ANY_RANK = Bounds(0.0, 1.0)
UNPRUNED, WHOLE = Bounds(0.0, 0.0), Bounds(1.0, 1.0)
"""Bounds of a ratio that prune nothing, and of a rank that decompose nothing."""

RankPair = tuple[Bounds, Bounds]
"""Bounds of a layer's In Rank and Out Rank."""


@dataclass(frozen=True)
class LayerChoice:
    """What the layers whose names match a pattern may become.

    Attributes:
        pattern: of the names of layers or groups, as in a shell: ``*``, ``?``, ``[abc]``. A group is matched by its own
            name and by those of its layers.
        ratio: bounds of the ratio, None to leave it as it is.
        ranks: bounds of both ranks, None to leave them as they are.
    """

    pattern: str
    ratio: Bounds | None = None
    ranks: RankPair | None = None

    def matches(self, name: str) -> bool:
        """Whether the pattern matches a name, or is that name."""
        return name == self.pattern or fnmatchcase(name, self.pattern)

    def matches_group(self, group: Group) -> bool:
        """Whether it matches a group or a layer of it; of a decomposed layer also by the name that it had before."""
        return any(self.matches(name) for name in _names(group))

    @property
    def is_decomposing(self) -> bool:
        """Whether it says something of ranks other than that the layer stays whole."""
        return self.ranks is not None and self.ranks != (WHOLE, WHOLE)


def _names(group: Group) -> Iterator[str]:
    for name in (group.name, *group.layers):
        yield name
        yield from (name.removesuffix(suffix) for suffix in LAST_SUFFIXES if name.endswith(suffix))


@dataclass(frozen=True)
class Choices:
    """Choices per layer, in their order: of several that match and say something of a value, the last counts."""

    layers: tuple[LayerChoice, ...] = ()

    def ratio(self, group: Group) -> Bounds | None:
        """Bounds of the ratio of a group, None where nothing is said of it."""
        said = [choice.ratio for choice in self.layers if choice.ratio is not None and choice.matches_group(group)]
        return said[-1] if said else None

    def ranks(self, layer: str) -> RankPair | None:
        """Bounds of both ranks of a layer, None where nothing is said of it."""
        said = [choice.ranks for choice in self.layers if choice.ranks is not None and choice.matches(layer)]
        return said[-1] if said else None

    def decomposes(self, layer: str) -> bool:
        """Whether both ranks of a layer are fixed, and not all channels, so that it is decomposed in any case."""
        ranks = self.ranks(layer)
        return ranks is not None and all(side.is_fixed for side in ranks) and ranks != (WHOLE, WHOLE)

    def check(self, graph: ChannelGraph) -> None:
        """Refuse choices that a model cannot have.

        Raises:
            ParameterError: a pattern that matches nothing, with the nearest names; a ratio or ranks where nothing that
                matches can be pruned or decomposed, and why; a rank above the channels of a layer.
        """
        for choice in self.layers:
            _check_names(choice, graph)
            _check_ratio(choice, graph)
            _check_ranks(choice, graph)


NO_CHOICES = Choices()
"""All is left to whoever chooses the values."""


def _check_names(choice: LayerChoice, graph: ChannelGraph) -> None:
    excluded = [exclusion.name for exclusion in (*graph.excluded, *graph.undecomposable)]
    producers = [name for group in graph.groups for name in (group.name, *group.layers)]
    layers = [node.layer for node in graph.nodes if node.weight("kernel") is not None]
    known = dict.fromkeys([*producers, *layers, *excluded])
    if any(choice.matches(name) for name in known):
        return
    other = next((node for node in graph.nodes if choice.matches(node.layer)), None)
    if other is None:
        raise ParameterError(unknown_name("layer or group", choice.pattern, list(known)))
    raise ParameterError(
        f"'{choice.pattern}': expected a layer that can be pruned or decomposed, received only such as "
        f"'{other.layer}' ({other.kind}); name the layer whose channels it passes on"
    )


def _check_ratio(choice: LayerChoice, graph: ChannelGraph) -> None:
    if choice.ratio in (None, UNPRUNED) or any(choice.matches_group(group) for group in graph.groups):
        return
    try:
        graph.group(_first_match(choice, graph, [exclusion.name for exclusion in graph.excluded]))
    except ParameterError as error:
        raise ParameterError(f"'{choice.pattern}' has a ratio, but {error}") from None


def _check_ranks(choice: LayerChoice, graph: ChannelGraph) -> None:
    if not choice.is_decomposing or choice.ranks is None:
        return
    layers = [layer for layer in graph.decomposable if choice.matches(layer.layer)]
    for layer in layers:
        _check_channels(layer, choice.ranks)
    if not layers:
        try:
            graph.convolution(_first_match(choice, graph, [exclusion.name for exclusion in graph.undecomposable]))
        except ParameterError as error:
            raise ParameterError(f"'{choice.pattern}' has a rank, but {error}") from None


def _first_match(choice: LayerChoice, graph: ChannelGraph, excluded: list[str]) -> str:
    """A name that a choice matches: preferably of what is excluded, which has a reason."""
    return next(name for name in (*excluded, *(node.layer for node in graph.nodes)) if choice.matches(name))


def _check_channels(layer: Decomposable, ranks: RankPair) -> None:
    sides = zip(("input", "output"), ranks, (layer.in_channels, layer.out_channels), strict=True)
    for side, bounds, channels in sides:
        if bounds.least > max(1, channels):
            raise ParameterError(
                f"layer '{layer.layer}': expected a rank of at most its {channels} {side} channels, received "
                f"{bounds.least:g}; give a smaller one, or a fraction up to 1"
            )
