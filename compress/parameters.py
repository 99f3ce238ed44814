"""Compression parameters: a pruning ratio per group and a Tucker rank pair per layer, and the order of the stages."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeVar, get_args

import numpy as np

from compress.errors import ParameterError, excerpt

Rounding = Literal["up", "down", "nearest", "none"]


@dataclass(frozen=True)
class ChannelStep:
    """Rounds kept channels to a multiple of ``size`` (NetsPresso's ``step_size`` and ``step_op``).

    Attributes:
        size: the multiple, at least 1.
        rounding: ``up``, ``down``, ``nearest`` (of two equally near the larger), or ``none`` for no rounding at all.

    Raises:
        ParameterError: another rounding, or a size that is no whole number of at least 1.
    """

    size: int = 1
    rounding: Rounding = "up"

    def __post_init__(self) -> None:
        if not isinstance(self.size, int | np.integer) or isinstance(self.size, bool) or self.size < 1:
            raise ParameterError(
                f"channel step: expected a whole number >= 1, received {excerpt(self.size)}; correct it"
            )
        if self.rounding not in get_args(Rounding):
            raise ParameterError(
                f"channel step: expected a rounding of {', '.join(get_args(Rounding))}, "
                f"received {excerpt(self.rounding)}; correct it"
            )

    def rounded(self, kept: int, channels: int) -> int:
        """A multiple of the step near ``kept``, at least one step and at most ``channels``.

        Where nothing is removed, nothing is rounded: a layer that is left whole stays whole.
        """
        if kept >= channels or self.rounding == "none":
            return min(kept, channels)
        lead = {"up": self.size - 1, "down": 0, "nearest": self.size // 2}[self.rounding]
        return min(channels, max(self.size, (kept + lead) // self.size * self.size))


SINGLE_CHANNELS = ChannelStep()
"""Every number of channels may be kept."""

Value = TypeVar("Value")

# Far above the rounding of C * (1 - ratio) in float64 (about 2e-16 per channel), far below any step a user means.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class CompressionParameters:
    """What to prune and what to decompose: what a search proposes, files hold and compression takes.

    ratios: group name -> fraction of the group's channels to remove, in [0, 1).
    ranks: layer name -> (in rank, out rank) of its Tucker-2 decomposition, both at least 1.

    Both mappings are copied into plain dicts of Python floats and ints, so instances pickle and compare by value.
    Raises ParameterError, naming the layer, for an empty name or a value outside these bounds.
    """

    ratios: Mapping[str, float]
    ranks: Mapping[str, tuple[int, int]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratios", _checked("ratios", self.ratios, checked_ratio))
        object.__setattr__(self, "ranks", _checked("ranks", self.ranks, checked_ranks))

    @classmethod
    def none(cls) -> Self:
        """The parameters that change nothing."""
        return cls({}, {})

    def merged(self, other: "CompressionParameters") -> "CompressionParameters":
        """Both sets of parameters; ParameterError where they give one layer different values."""
        return CompressionParameters(
            _merged("ratio", self.ratios, other.ratios), _merged("rank pair", self.ranks, other.ranks)
        )


def checked_ratio(name: str, ratio: object) -> float:
    """Return `ratio` as a Python float; ParameterError unless it is a number in [0, 1)."""
    if isinstance(ratio, bool) or not isinstance(ratio, int | float | np.integer | np.floating) or not 0 <= ratio < 1:
        raise ParameterError(f"{name!r}: expected a pruning ratio in [0, 1), received {excerpt(ratio)}; correct it")
    return float(ratio)


def checked_ranks(name: str, ranks: object) -> tuple[int, int]:
    """Return `ranks` as a pair of Python ints; ParameterError unless it is a list or tuple of two ints >= 1."""
    if not (isinstance(ranks, list | tuple) and len(ranks) == 2 and all(_is_positive_int(rank) for rank in ranks)):
        raise ParameterError(
            f"{name!r}: expected [in rank, out rank], two whole numbers >= 1, received {excerpt(ranks)}; correct it"
        )
    return int(ranks[0]), int(ranks[1])


def kept_channels(channels: int, ratio: float, step: ChannelStep = SINGLE_CHANNELS) -> int:
    """Channels that remain of `channels` after pruning: ceil(channels * (1 - ratio)), at least 1, rounded to `step`.

    Float error is guarded against: 10 channels at ratio 0.7 keep 3, although 10 * (1 - 0.7) rounds to slightly more
    than 3. Raises ParameterError for channels below 1 or a ratio outside [0, 1).
    """
    if not _is_positive_int(channels):
        raise ParameterError(f"expected channels to be a whole number >= 1, received {excerpt(channels)}; correct it")
    remaining = channels * (1 - checked_ratio("ratio", ratio))
    return step.rounded(max(1, math.ceil(remaining - channels * _ROUNDING)), channels)


def _is_positive_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)


def _checked(field: str, entries: Mapping[str, object], check: Callable[[str, object], Value]) -> dict[str, Value]:
    if not isinstance(entries, Mapping):
        raise ParameterError(f"expected {field} to map layer names to values, received {excerpt(entries)}; correct it")
    return {_checked_name(field, name): check(name, value) for name, value in entries.items()}


def _checked_name(field: str, name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ParameterError(
            f"{field}: expected a layer name, a non-empty string, received {excerpt(name)}; correct it"
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ParameterError(
            f"{field}: expected a layer name in valid Unicode, received {name!r}; remove the surrogates"
        ) from None
    return name


def _merged(noun: str, mine: Mapping[str, Value], other: Mapping[str, Value]) -> dict[str, Value]:
    for name in mine:
        if name in other and mine[name] != other[name]:
            raise ParameterError(
                f"{name!r}: expected one {noun}, received {mine[name]} and {other[name]}; remove one of them"
            )
    return {**mine, **other}


Stage = Literal["prune", "decompose"]
"""One stage of a recipe."""
PRUNE: Stage = "prune"
"""The stage that removes channels."""
DECOMPOSE: Stage = "decompose"
"""The stage that replaces convolutions by Tucker-2."""
STAGES: tuple[Stage, ...] = get_args(Stage)
DEFAULT_RECIPE: tuple[Stage, ...] = (PRUNE, DECOMPOSE)
"""The order of the stages unless another is given: pruning first, as in NPTK's ResNet50."""


def checked_recipe(recipe: Sequence[Stage]) -> tuple[Stage, ...]:
    """Return the stages of a recipe; ParameterError unless it is a list of known ones, each at most once."""
    stages = () if isinstance(recipe, str) or not isinstance(recipe, Iterable) else tuple(recipe)
    if not stages or any(stage not in STAGES for stage in stages) or len(set(stages)) < len(stages):
        raise ParameterError(
            f"recipe: expected a list of one or both of {', '.join(map(repr, STAGES))}, each at most once, "
            f"received {excerpt(recipe)}; correct it"
        )
    return stages
