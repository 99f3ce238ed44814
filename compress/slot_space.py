"""Union-find over channels: merges unify them, layers that are not understood freeze them."""

import numpy as np
from numpy.typing import NDArray

from compress.group import Slots

Labels = NDArray[np.int64]
"""Provisional number of every channel of a tensor, before coupled channels are joined."""


class SlotSpace:
    """Channels of a model under analysis."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._frozen: dict[int, str] = {}

    def fresh(self, channels: int) -> Labels:
        """Labels of ``channels`` new, independent channels, shape (channels,)."""
        start = len(self._parents)
        self._parents.extend(range(start, start + channels))
        return np.arange(start, start + channels, dtype=np.int64)

    def freeze(self, labels: Labels, reason: str) -> None:
        """Forbid the removal of these channels and of all that are or will be coupled with them."""
        for label in labels.tolist():
            self._frozen.setdefault(label, reason)

    def unify(self, first: Labels, second: Labels) -> None:
        """Couple two tensors of equal width channel by channel. Shapes (C,), (C,)."""
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            self._parents[self._root(b)] = self._root(a)

    def _root(self, label: int) -> int:
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    def slots(self) -> Slots:
        """Final slot, numbered from 0, of every label; shape (labels,)."""
        roots = np.array([self._root(label) for label in range(len(self._parents))], dtype=np.int64)
        return np.unique(roots, return_inverse=True)[1].astype(np.int64)

    def frozen(self) -> dict[int, str]:
        """Reason by label for every label that was frozen directly."""
        return dict(self._frozen)
