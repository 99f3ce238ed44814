"""The largest fraction of each group's channels that a memory limit allows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.budget.budget import STEPS, bisect
from search.space.space import Floats, SearchSpace

_SMALLEST_LOG, _LARGEST_LOG = -14.0, 14.0
"""Natural logarithms between which scales are searched: below any grid step, above any preference's inverse."""


@dataclass(frozen=True)
class MemoryCaps:
    """The largest keep preferences that a memory limit allows while no convolution is decomposed.

    Attributes:
        space: the search space of the preferences.
        most: bytes that the tensors alive at a call may take.
    """

    space: SearchSpace
    most: float

    def __call__(self, keep: Floats) -> Floats:
        """The largest multiples of the keep preferences (groups,), shape (groups,); 1 where memory is no limit.

        All preferences rise together until a call reaches the limit; the groups with channels alive at that call stop,
        the others rise further. So the limit costs only the groups that exceed it (max-min fairness).
        """
        caps, rising = np.ones(len(keep)), np.ones(len(keep), dtype=np.bool_)

        def at(log: float) -> Floats:
            return np.where(rising, np.minimum(1.0, keep * math.exp(log)), caps)

        def over(log: float) -> NDArray[np.bool_]:
            return rising & self._over(at(log))

        while rising.any() and over(_LARGEST_LOG).any():
            scale = bisect(lambda log: not over(log).any(), fitting=_SMALLEST_LOG, failing=_LARGEST_LOG)
            # Just above that scale a call exceeds the limit.
            beyond = over(scale + 2 * (_LARGEST_LOG - _SMALLEST_LOG) / 2**STEPS)
            stopping = beyond if beyond.any() else rising
            caps, rising = np.where(stopping, at(scale), caps), rising & ~stopping
        return caps

    def _over(self, keep: Floats) -> NDArray[np.bool_]:
        """Which groups have channels alive at a call above the limit, (groups,)."""
        arrays = self.space.arrays
        kept = arrays.kept(arrays.ratio_steps(keep[None]))[0]
        return arrays.by_group(self.space.cost.memory.alive_above(kept, self.most))
