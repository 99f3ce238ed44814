"""Terms of the cost as arrays: many candidates at once, by a handful of matrix products."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from compress.graph.channel_graph import ChannelCounts
from compress.graph.group import CoupledLabels

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FIGURES = 4
"""What is counted: FLOPs, parameters, bytes, multiply-accumulates."""


class ChannelForms:
    """Distinct channel counts of a graph; number 0 is the constant 1."""

    def __init__(self, counts: ChannelCounts) -> None:
        self._counts = counts
        self._constants: list[int] = [1]
        self._rows: list[Ints] = [np.zeros(counts.sizes.size, dtype=np.int64)]
        self._index: dict[tuple[int, bytes], int] = {(1, self._rows[0].tobytes()): 0}

    def number(self, labels: CoupledLabels) -> int:
        """The number of a tensor's channel count."""
        constant, row = self._counts.form(labels)
        key = (constant, row.tobytes())
        if key not in self._index:
            self._index[key] = len(self._rows)
            self._constants.append(constant)
            self._rows.append(row)
        return self._index[key]

    def factors(self, channels: Sequence[CoupledLabels]) -> tuple[int, int]:
        """Numbers of the counts of up to two tensors, whose product a term is."""
        numbers = [self.number(labels) for labels in channels]
        first, second = (*numbers, 0, 0)[:2]
        return first, second

    def compiled(self) -> tuple[Floats, Floats]:
        """Constants (forms,) and rows (subgroups, forms): counts = constants + kept @ rows."""
        return np.array(self._constants, dtype=np.float64), np.stack(self._rows, axis=1).astype(np.float64)


@dataclass(frozen=True)
class Products:
    """A sum of figures times products of two counts, each pair of counts once.

    Attributes:
        linear: figures of single counts, shape (forms, kinds).
        first: form of the first factor of every product, shape (products,).
        second: form of the second factor, shape (products,).
        figures: what each product counts, shape (products, kinds).
    """

    linear: Floats
    first: Ints
    second: Ints
    figures: Floats

    @classmethod
    def of(cls, factors: Ints, figures: Floats) -> Self:
        """The sum of rows with factors (rows, 2) and figures, of any kind, (rows, kinds)."""
        pairs, index = np.unique(np.sort(factors, axis=1), axis=0, return_inverse=True)
        totals = np.zeros((len(pairs), figures.shape[1]))
        np.add.at(totals, index.ravel(), figures)
        # Form 0 is the constant 1 and sorts first: a product with it is a single count.
        single = pairs[:, 0] == 0
        linear = np.zeros((int(factors.max(initial=0)) + 1, figures.shape[1]))
        linear[pairs[single, 1]] = totals[single]
        return cls(linear, pairs[~single, 0], pairs[~single, 1], totals[~single])

    def total(self, counts: Floats) -> Floats:
        """The sum for counts of shape (N, forms), shape (N, kinds)."""
        products = counts[:, self.first]
        products *= counts[:, self.second]
        whole: Floats = counts[:, : len(self.linear)] @ self.linear
        whole += products @ self.figures
        return whole


@dataclass(frozen=True)
class TuckerLayer:
    """One decomposable layer: forms of its channels, size of its window, and figures of its kernels.

    Attributes:
        inputs: form of its input channels.
        outputs: form of its output channels.
        window: kernel height x width.
        whole: figures per weight of its kernel, shape (4,), as those below.
        first: figures per weight of the first factor, which works on the input positions.
        rest: figures per weight of the core and the last factor, which work on the output positions.
    """

    inputs: int
    outputs: int
    window: int
    whole: Floats
    first: Floats
    rest: Floats


@dataclass(frozen=True)
class TuckerTerms:
    """The change of cost by decomposition: three smaller kernels replace one. Arrays by layer, as in `TuckerLayer`."""

    inputs: Ints
    outputs: Ints
    window: Floats
    whole: Floats
    first: Floats
    rest: Floats

    @classmethod
    def of(cls, layers: Sequence[TuckerLayer]) -> Self:
        """The terms of these layers, in their order."""
        figures = [
            np.array([getattr(layer, name) for layer in layers]).reshape(-1, FIGURES)
            for name in ("whole", "first", "rest")
        ]
        return cls(
            np.array([layer.inputs for layer in layers], dtype=np.int64),
            np.array([layer.outputs for layer in layers], dtype=np.int64),
            np.array([layer.window for layer in layers], dtype=np.float64),
            *figures,
        )

    def total(self, counts: Floats, ranks: Ints) -> Floats:
        """Cost to add, shape (N, 4), for counts (N, forms) and ranks (N, layers, 2)."""
        gone, first, rest = self._weights(counts, ranks)
        change: Floats = first @ self.first + rest @ self.rest - gone @ self.whole
        return change

    def by_layer(self, counts: Floats, ranks: Ints) -> Floats:
        """Cost to add of one candidate, shape (layers, 4), for counts (forms,) and ranks (layers, 2)."""
        gone, first, rest = (weights[0, :, None] for weights in self._weights(counts[None], ranks[None]))
        change: Floats = first * self.first + rest * self.rest - gone * self.whole
        return change

    def _weights(self, counts: Floats, ranks: Ints) -> tuple[Any, Any, Any]:
        """Weights of the kernels that go, of the first factors, and of the rest, each of shape (N, layers)."""
        rank_in, rank_out = ranks[..., 0].astype(np.float64), ranks[..., 1].astype(np.float64)
        into, out = counts[:, self.inputs], counts[:, self.outputs]
        # A layer that is left whole has ranks of 0, so nothing comes for it.
        gone = (rank_in > 0) * into * out
        return gone, into * rank_in, rank_out * (self.window * rank_in + out)
