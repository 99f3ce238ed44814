"""Learning rates over the epochs of a training: the registry of schedules, and what one is made of."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import keras

from compress.errors import ConfigError
from compress.registration import registered

Rate: TypeAlias = Any
"""A number, a learning rate that callbacks may change, or one that follows the steps, a `LearningRateSchedule`."""


@dataclass(frozen=True)
class ScheduleKind:
    """A way in which the learning rate changes.

    Attributes:
        name: as configurations give it.
        words: what it does, for the reference.
        rate: from the learning rate of the configuration, the steps of the whole training, and options by name.
        plateau: from the same options, what changes the learning rate after an epoch; None where nothing does.
    """

    name: str
    words: str
    rate: Callable[..., Rate]
    plateau: Callable[..., keras.callbacks.ReduceLROnPlateau] | None = None

    @property
    def options(self) -> dict[str, float]:
        """The options with their defaults."""
        parameters = inspect.signature(self.rate).parameters.values()
        return {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}


@dataclass(frozen=True)
class Schedule:
    """A schedule by its name and options.

    Raises:
        ConfigError: an unknown name or option, or an option that is no number of at least 0.
    """

    name: str = "plateau"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = self.kind.options
        for option, value in self.options.items():
            if option not in known:
                takes = f"takes {', '.join(known)}" if known else "takes none"
                raise ConfigError(f"schedule.options: {self.name} {takes}, received {option}; leave it out")
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ConfigError(f"schedule.options.{option}: expected a number of at least 0, received {value!r}")
        self.rate(1.0, 1)

    @property
    def kind(self) -> ScheduleKind:
        """The kind of this name."""
        kinds = schedule_kinds()
        if self.name not in kinds:
            raise ConfigError(f"schedule: expected one of {', '.join(kinds)}, received {self.name!r}")
        return kinds[self.name]

    def rate(self, learning_rate: float, steps: int) -> Rate:
        """The learning rate of a training of so many steps."""
        return self.kind.rate(learning_rate, steps, **self.options)

    @property
    def plateau(self) -> keras.callbacks.ReduceLROnPlateau | None:
        """What lowers the learning rate after an epoch that asks for it; None where nothing does."""
        return None if self.kind.plateau is None else self.kind.plateau(**self.options)


def warmed_up(learning_rate: float, steps: int, share: float, *, start: float, end: float) -> Rate:
    """A linear rise over a share of the steps, then half a cosine down.

    Args:
        learning_rate: at the top.
        steps: of the whole training.
        share: of them that the rise takes, in [0, 1).
        start, end: where the rise begins and the fall ends, as shares of the learning rate.
    """
    up = round(share * steps)
    if not up:
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=end)
    down = max(1, steps - up)
    first = start * learning_rate
    return keras.optimizers.schedules.CosineDecay(first, down, alpha=end, warmup_target=learning_rate, warmup_steps=up)


def check_share(option: str, value: float) -> None:
    """Refuse what is no share of the steps that leaves some for the rest.

    Raises:
        ConfigError: with the option.
    """
    if not 0 <= value < 1:
        raise ConfigError(f"schedule.options.{option}: expected a share of all steps in [0, 1), received {value:g}")


@cache
def schedule_kinds() -> Mapping[str, ScheduleKind]:
    """The schedules that can be chosen, by name: one in each file of the folder ``schedules``."""
    return {kind.name: kind for kind in registered("zoo.training.schedules", ScheduleKind)}


def schedule_words() -> str:
    """All schedules with what they do, and their options with the defaults."""
    return "; ".join(_words(kind) for kind in schedule_kinds().values())


def _words(kind: ScheduleKind) -> str:
    options = ", ".join(f"{option}: {value:g}" for option, value in kind.options.items())
    return f"{kind.name} ({kind.words}; {options})"
