"""How much of each group a limit of memory allows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.budget.budget import STEPS, bisect
from search.space.space import Floats, SearchSpace

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

    def __call__(self, keep: Floats) -> Floats:
        """The largest multiples of the keep preferences (groups,); 1 for those that memory does not limit.

        All rise together until a call is at the limit; the groups whose channels are alive at that call stop, the
        others go on. So memory costs only the groups that need it (max-min fairness).
        """
        caps, rising = np.ones(len(keep)), np.ones(len(keep), dtype=np.bool_)

        def at(log: float) -> Floats:
            return np.where(rising, np.minimum(1.0, keep * math.exp(log)), caps)

        def over(log: float) -> NDArray[np.bool_]:
            return rising & self._over(at(log))

        while rising.any() and over(_LARGEST_LOG).any():
            scale = bisect(lambda log: not over(log).any(), fitting=_SMALLEST_LOG, failing=_LARGEST_LOG)
            # Just above that scale, where a call is over the limit.
            beyond = over(scale + 2 * (_LARGEST_LOG - _SMALLEST_LOG) / 2**STEPS)
            stopping = beyond if beyond.any() else rising
            caps, rising = np.where(stopping, at(scale), caps), rising & ~stopping
        return caps

    def _over(self, keep: Floats) -> NDArray[np.bool_]:
        """Which groups have channels alive at a call above the limit, (groups,)."""
        arrays = self.space.arrays
        kept = arrays.kept(arrays.ratio_steps(keep[None]))[0]
        return arrays.by_group(self.space.cost.memory.alive_above(kept, self.most))
