"""How much of each group a limit of memory allows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.budget.feasible import STEPS, bisect
from search.space.space import Preferences, SearchSpace

_SMALLEST_LOG, _LARGEST_LOG = -14.0, 14.0
"""Scales are searched between e to these powers: from below any grid to above any preference's inverse."""


@dataclass(frozen=True)
class MemoryCaps:
    """Largest keep preferences that a limit of memory allows, where all convolutions are whole.

    Attributes:
        space: what the preferences decode in.
        most: bytes of the tensors alive at any call.
    """

    space: SearchSpace
    most: float

    def __call__(self, wanted: Preferences) -> dict[str, float]:
        """The largest multiples of the keep preferences, by dimension; 1 for those that memory does not limit.

        All rise together until a call is at the limit; the groups whose channels are alive at that call stop, the
        others go on. So memory costs only the groups that need it (max-min fairness).
        """
        rising = {name: value for name, value in wanted.items() if name.startswith("keep:")}
        caps: dict[str, float] = {}
        while rising and self._over(caps | _times(rising, _LARGEST_LOG), rising):
            scale = bisect(
                lambda log: not self._over(caps | _times(rising, log), rising),
                fitting=_SMALLEST_LOG,
                failing=_LARGEST_LOG,
            )
            # Just above the scale that was found, where a call is over the limit.
            beyond = scale + 2 * (_LARGEST_LOG - _SMALLEST_LOG) / 2**STEPS
            reached = _times(rising, scale)
            for name in self._over(caps | _times(rising, beyond), rising) or list(rising):
                caps[name] = reached[name]
                del rising[name]
        return caps | dict.fromkeys(rising, 1.0)

    def _over(self, keep: Preferences, rising: Preferences) -> list[str]:
        """Rising dimensions whose channels are alive at a call above the limit."""
        counts, memory = self.space.cost.counts, self.space.cost.memory
        kept = counts.kept_subgroups(self.space.ratios(keep), self.space.settings.step)
        held = self._by_group(memory.alive_above(kept, self.most))
        return [name for name in rising if held[name]]

    def _by_group(self, subgroups: NDArray[np.bool_]) -> dict[str, bool]:
        flags = iter(subgroups.tolist())
        return {f"keep:{group.name}": any([next(flags) for _ in group.subgroups]) for group in self.space.groups}


def _times(wanted: Preferences, log: float) -> dict[str, float]:
    return {name: min(1.0, value * math.exp(log)) for name, value in wanted.items()}
