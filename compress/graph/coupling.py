"""Union-find over the channels of a model: which of them are coupled, and which must stay."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.graph.group import CoupledLabels

Labels = NDArray[np.int64]
"""A provisional number for each channel of a tensor, in channel order, shape (channels,).

Numbers that the analysis has joined may still differ; ``Coupling.labels`` turns them into final, equal ones.
"""


@dataclass(frozen=True, eq=False)
class Channels:
    """The channels of one tensor: labels, shape (C,), and the axis along which they lie (the batch is axis 0)."""

    labels: Labels
    axis: int

    @property
    def size(self) -> int:
        """Number of channels."""
        return int(self.labels.size)


class Coupling:
    """Joins provisional labels while a model is read; layers that are not understood freeze them."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._frozen: dict[int, str] = {}

    def fresh(self, channels: int) -> Labels:
        """Labels of ``channels`` new, independent channels, shape (channels,)."""
        start = len(self._parents)
        self._parents.extend(range(start, start + channels))
        return np.arange(start, start + channels, dtype=np.int64)

    def fixed(self, channels: int, reason: str) -> Labels:
        """Labels of new channels that may not be removed, shape (channels,)."""
        labels = self.fresh(channels)
        self.freeze(labels, reason)
        return labels

    def freeze(self, labels: Labels, reason: str) -> None:
        """Forbid the removal of these channels and of all that are or will be coupled with them."""
        for label in np.unique(labels).tolist():
            self._frozen.setdefault(label, reason)

    def unify(self, first: Labels, second: Labels) -> None:
        """Couple two arrays of labels element by element. Shapes equal, or ``first`` is one row of ``second``."""
        pairs = np.stack([np.broadcast_to(first, second.shape), second], axis=-1).reshape(-1, 2)
        for a, b in np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).tolist():
            self._parents[self._root(b)] = self._root(a)

    def couple(self, rows: Labels) -> Labels:
        """Couple the labels of each column of ``rows``, shape (n, C), so that all rows keep the same columns.

        Returns:
            The first row, shape (C,).
        """
        first: Labels = rows[0]
        self.unify(first, rows)
        return first

    def _root(self, label: int) -> int:
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    def labels(self) -> CoupledLabels:
        """The final label of every provisional one, numbered from 0, shape (provisional labels,)."""
        roots = np.array([self._root(label) for label in range(len(self._parents))], dtype=np.int64)
        return np.unique(roots, return_inverse=True)[1].astype(np.int64)

    def frozen(self) -> dict[int, str]:
        """Reason by provisional label, for those that were frozen themselves."""
        return dict(self._frozen)
