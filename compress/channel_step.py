"""ChannelStep: kept channels in whole multiples of a number that the target hardware likes."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from compress.errors import ParameterError
from compress.excerpt import excerpt

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
