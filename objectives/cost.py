"""Analytic cost of compressed models, from the channel graph and the parameters: no model is built."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.channel_counts import ChannelCounts
from compress.channel_step import SINGLE_CHANNELS, ChannelStep
from compress.graph import ChannelGraph
from compress.group import Decomposable, Site, Slots, positions
from compress.parameters import CompressionParameters
from objectives.flops import Term, flops_terms, weight_term

BYTES_PER_WEIGHT = 4
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cost:
    """Cost of one model: FLOPs of one forward pass on one image, trainable parameters, bytes of all its weights."""

    flops: int
    params: int
    bytes: int


@dataclass(frozen=True)
class _Row:
    """The channels of a term, and what their product counts in FLOPs, trainable parameters and bytes."""

    layer: str
    term: Term
    figures: tuple[int, int, int]


class CostModel:
    """Cost as a function of kept channels and ranks, compiled once from a graph.

    Candidates are arrays: ``kept`` of shape (N, blocks), in the order of ``counts``, and ``ranks`` of shape
    (N, decomposable layers, 2), with 0 for layers left whole. The cost is the same in either recipe order.

    Attributes:
        graph: the analysed model.
        counts: kept channels of every tensor.
        uncounted: layers whose FLOPs are not known and counted as zero; their weights are counted.

    Raises:
        ModelError: a layer's spatial size is not fixed.
    """

    def __init__(self, graph: ChannelGraph) -> None:
        self.graph = graph
        self.counts = ChannelCounts.of(graph)
        self.uncounted = tuple(dict.fromkeys(site.layer for site in graph.sites if flops_terms(site) is None))
        rows = [row for site in graph.sites for row in _rows(site)]
        self._layers = tuple(dict.fromkeys(site.layer for site in graph.sites))
        self._forms = _Forms(self.counts)
        self._row_layers = np.array([self._layers.index(row.layer) for row in rows])
        self._factors = np.array([self._forms.factors(row.term.channels) for row in rows]).reshape(-1, 2)
        # float64 is exact for integers below 2^53 and, unlike int64, multiplied by BLAS.
        self._figures = np.array([row.figures for row in rows], dtype=np.float64).reshape(-1, 3)
        self._tucker = [_TuckerRows(layer, graph, rows, self._forms) for layer in graph.decomposable]
        self._constants, self._matrix = self._forms.compiled()

    def cost(self, parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS) -> Cost:
        """Cost of one candidate.

        Raises:
            ParameterError: an unknown or excluded group or layer.
        """
        return Cost(*(int(figure) for figure in self.evaluate(*self.candidate(parameters, step))[0]))

    def candidate(self, parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS) -> tuple[Ints, Ints]:
        """One candidate as arrays: kept channels (1, blocks) and ranks (1, layers, 2).

        Raises:
            ParameterError: an unknown or excluded group or layer.
        """
        kept = self.counts.kept_blocks(parameters.ratios, step)
        index = {layer.layer: i for i, layer in enumerate(self.graph.decomposable)}
        ranks = np.zeros((len(index), 2), dtype=np.int64)
        for name, pair in parameters.ranks.items():
            ranks[index[self.graph.convolution(name).layer]] = pair
        return kept[None], ranks[None]

    def evaluate(self, kept: Ints, ranks: Ints) -> Ints:
        """Cost of many candidates, shape (N, 3): FLOPs, trainable parameters, bytes of weights.

        Args:
            kept: channels that stay in every block, shape (N, blocks).
            ranks: (In Rank, Out Rank) of every decomposable layer, 0 where it stays whole, shape (N, layers, 2).
        """
        counts, products = self._products(kept)
        total = products @ self._figures
        for index, tucker in enumerate(self._tucker):
            total += tucker.change(counts, products, ranks[:, index])
        return np.rint(total).astype(np.int64)

    def layer_costs(self, parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS) -> dict[str, Cost]:
        """Cost of every layer of one candidate, by the layer's name in the original model."""
        kept, ranks = self.candidate(parameters, step)
        counts, products = self._products(kept)
        figures = np.zeros((len(self._layers), 3))
        np.add.at(figures, self._row_layers, products[0][:, None] * self._figures)
        for index, tucker in enumerate(self._tucker):
            figures[self._layers.index(tucker.layer)] += tucker.change(counts, products, ranks[:, index])[0]
        return {name: Cost(*(int(x) for x in np.rint(row))) for name, row in zip(self._layers, figures, strict=True)}

    def _products(self, kept: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        counts = self._constants + kept.astype(np.float64) @ self._matrix
        return counts, counts[:, self._factors[:, 0]] * counts[:, self._factors[:, 1]]


class _Forms:
    """Distinct channel counts of a graph; number 0 is the constant 1."""

    def __init__(self, counts: ChannelCounts) -> None:
        self._counts = counts
        self._constants: list[int] = [1]
        self._rows: list[Ints] = [np.zeros(counts.sizes.size, dtype=np.int64)]
        self._index: dict[tuple[int, bytes], int] = {(1, self._rows[0].tobytes()): 0}

    def number(self, slots: Slots) -> int:
        constant, row = self._counts.form(slots)
        key = (constant, row.tobytes())
        if key not in self._index:
            self._index[key] = len(self._rows)
            self._constants.append(constant)
            self._rows.append(row)
        return self._index[key]

    def factors(self, channels: Sequence[Slots]) -> tuple[int, int]:
        numbers = [self.number(slots) for slots in channels]
        first, second = (*numbers, 0, 0)[:2]
        return first, second

    def compiled(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array(self._constants, dtype=np.float64), np.stack(self._rows, axis=1).astype(np.float64)


class _TuckerRows:
    """What decomposing one convolution changes: its kernel's cost goes, three smaller kernels' costs come."""

    def __init__(self, layer: Decomposable, graph: ChannelGraph, rows: Sequence[_Row], forms: _Forms) -> None:
        site = graph.site(layer.layer)
        kernel = site.weight("kernel")
        self.layer = layer.layer
        self._window = math.prod(kernel.shape[:2]) if kernel is not None else 1
        self._in, self._out = forms.number(site.inputs[0]), forms.number(site.output)
        self._kernels = [i for i, row in enumerate(rows) if row.layer == self.layer and len(row.term.channels) == 2]
        self._whole = np.array([rows[i].figures for i in self._kernels])
        calls = [call for call in graph.sites if call.layer == self.layer]
        weight = np.array([0, int(kernel is not None and kernel.trainable), BYTES_PER_WEIGHT])
        flops = np.array([2, 0, 0])
        self._first = weight + flops * sum(positions(call.input_shapes[0]) for call in calls)
        self._rest = weight + flops * sum(positions(call.output_shape) for call in calls)

    def change(self, counts: NDArray[Any], products: NDArray[Any], ranks: Ints) -> NDArray[np.float64]:
        """Cost to add, shape (N, 3), for ranks of shape (N, 2)."""
        rank_in, rank_out = ranks[:, 0].astype(np.float64), ranks[:, 1].astype(np.float64)
        first = counts[:, self._in] * rank_in
        rest = self._window * rank_in * rank_out + rank_out * counts[:, self._out]
        come = first[:, None] * self._first + rest[:, None] * self._rest
        gone = products[:, self._kernels] @ self._whole
        return np.where(rank_in[:, None] > 0, come - gone, 0.0)


def _rows(site: Site) -> list[_Row]:
    rows = [_Row(site.layer, term, (term.coefficient, 0, 0)) for term in flops_terms(site) or ()]
    if not site.repeated:
        for weight in site.weights:
            term = weight_term(weight)
            params = term.coefficient if weight.trainable else 0
            rows.append(_Row(site.layer, term, (0, params, term.coefficient * BYTES_PER_WEIGHT)))
    return rows
