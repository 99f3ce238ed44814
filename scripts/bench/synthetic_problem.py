"""Test problems shaped like the compression of a residual network, with a known answer to every proposal."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from search.space.projection import filled, scaled_to_fit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GRID = 0.1
_BLOCKS_PER_STAGE = 4
_FULL = 90.0
"""Accuracy of the original, in points."""

_WORST = 140.0
"""Points that the weights of all dimensions add up to: a budget of a sixth costs a good candidate some 20 points."""


@dataclass(frozen=True)
class SyntheticProblem:
    """Fractions kept of channels and ranks, what they cost together, and what accuracy they leave.

    Accuracy falls concavely with what each dimension loses, and by products of what neighbours lose; the cost is a sum
    of products of the fractions that a layer reads, makes, and has as its rank, as multiply-accumulates are. Candidates
    are rows of an array (N, D) of fractions on the grid 0.1, 0.2, ... 1.

    Attributes:
        weights: points that a dimension costs when all of it goes, shape (D,).
        exponents: how suddenly, above 1, shape (D,).
        pairs: dimensions that act together, shape (P, 2).
        couplings: points per product of their losses, negative where one makes up for the other, shape (P,).
        coefficients: share of the original's cost of every layer, shape (L,).
        factors: dimensions whose product a layer's cost goes with, D for none, shape (L, 3).
        budget: fraction of the original's cost that is allowed.
        noise: standard deviation of an observed accuracy, in points.
    """

    weights: Floats
    exponents: Floats
    pairs: Ints
    couplings: Floats
    coefficients: Floats
    factors: Ints
    budget: float
    noise: float

    @classmethod
    def drawn(cls, seed: int, noise: float = 0.4) -> Self:
        """A problem of 60 to 100 dimensions, three fifths of them channels, and a budget of 12 to 20 %."""
        rng = np.random.default_rng((seed, 20261126))
        size = int(rng.integers(60, 101))
        channels = round(0.6 * size)
        factors = _residual_layers(channels, size)
        # Each rank belongs to a layer of its own.
        factors[rng.permutation(len(factors))[: size - channels], 2] = np.arange(channels, size)
        coefficients = np.exp(rng.normal(0, 0.7, len(factors)))
        weights = np.exp(rng.normal(0, 1, size))
        weights *= _WORST / weights.sum()
        partners = (np.arange(size) + rng.integers(1, 4, size)) % size
        return cls(
            weights,
            rng.uniform(1.2, 3, size),
            np.stack([np.arange(size), partners], axis=1),
            rng.normal(0, weights.mean() / 4, size),
            coefficients / coefficients.sum(),
            factors,
            float(rng.uniform(0.12, 0.2)),
            noise,
        )

    @property
    def dimensions(self) -> int:
        """How many there are."""
        return len(self.weights)

    def accuracy(self, kept: Floats) -> Floats:
        """Without noise, in points, shape (N,)."""
        lost = 1 - kept
        alone = lost**self.exponents @ self.weights
        together = lost[:, self.pairs[:, 0]] * lost[:, self.pairs[:, 1]] @ self.couplings
        return _FULL - alone - together

    def violation(self, kept: Floats) -> Floats:
        """How far each is over the budget, as a fraction of it, shape (N,)."""
        padded = np.concatenate([kept, np.ones((len(kept), 1))], axis=1)
        cost = padded[:, self.factors].prod(axis=2) @ self.coefficients
        return np.asarray(cost / self.budget - 1)

    def project(self, wanted: Floats, fill: bool = True) -> Floats:
        """Preferences (N, D) scaled to the budget, as a search does: what is kept of every dimension, (N, D)."""
        scaled = self.scaled(wanted)
        return self.snap(filled(self._fits, scaled, np.full(self.dimensions, _GRID)) if fill else scaled)

    def scaled(self, wanted: Floats) -> Floats:
        """Preferences (N, D) scaled to the budget, before they are brought to the grid."""
        return scaled_to_fit(self._fits, wanted)

    def _fits(self, wanted: Floats) -> NDArray[np.bool_]:
        return self.violation(self.snap(wanted)) <= 0

    def snap(self, wanted: Floats) -> Floats:
        """The grid points at or below, and the lowest above zero."""
        return np.clip(np.floor(wanted / _GRID + 1e-9), 1, 10) * _GRID


def _residual_layers(channels: int, size: int) -> Ints:
    """Layers of residual blocks in stages, each reading and making one dimension: (layers, 3), without ranks."""
    layers, stream, before = [], 0, size
    for dimension in range(1, channels):
        if dimension % (_BLOCKS_PER_STAGE + 1) == 0:
            layers.append((stream, dimension, size))
            stream = dimension
            continue
        layers += [(stream, dimension, size), (dimension, stream, size)]
    return np.array([(before, 0, size), *layers], dtype=np.int64)
