"""Analytic cost of compressed models, from the channel graph and the parameters: no model is built."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelError
from compress.graph.channel_graph import ChannelCounts, ChannelGraph
from compress.graph.group import Node, positions
from compress.parameters import SINGLE_CHANNELS, ChannelStep, CompressionParameters
from objectives.cost.cost import Cost
from objectives.cost.flops import Term, flops_terms, weight_term
from objectives.cost.latency_model import LatencyModel
from objectives.cost.latency_table import LatencyTable
from objectives.cost.memory import PeakMemory
from objectives.cost.quantities.standard import STANDARD
from objectives.cost.quantity import quantities
from objectives.cost.terms import FIGURES, ChannelForms, Floats, Ints, Products, TuckerLayer, TuckerTerms

BYTES_PER_WEIGHT = 4

_CHUNK = 512
"""Candidates that are evaluated at a time, so that their arrays stay in the processor's cache."""


@dataclass(frozen=True)
class _Row:
    """A term of a layer's cost: its channels, and the FLOPs, parameters, bytes and MACs per unit of their product."""

    layer: str
    term: Term
    figures: tuple[int, int, int, int]


class CostModel:
    """Cost as a function of kept channels and ranks, compiled once from a graph.

    Candidates are arrays: ``kept`` of shape (N, subgroups), in the order of ``counts``, and ``ranks`` of shape
    (N, decomposable layers, 2), with 0 for layers left whole. The cost is the same in either recipe order.

    Attributes:
        graph: the analysed model.
        counts: kept channels of every tensor.
        latency: predicts latency, None without a table.
        uncounted: layers whose FLOPs are not known and count as zero; their weights are counted.

    Raises:
        ModelError: a layer's spatial size is not fixed.
    """

    def __init__(self, graph: ChannelGraph, latency: LatencyTable | None = None) -> None:
        self.graph = graph
        self.latency = None if latency is None else LatencyModel(graph, latency)
        self.counts = ChannelCounts.of(graph)
        self.uncounted = tuple(dict.fromkeys(node.layer for node in graph.nodes if flops_terms(node) is None))
        self._rows = [row for node in graph.nodes for row in _rows(node)]
        self._layers = tuple(dict.fromkeys(node.layer for node in graph.nodes))
        forms = ChannelForms(self.counts)
        self._factors = np.array([forms.factors(row.term.channels) for row in self._rows], np.int64).reshape(-1, 2)
        # float64 is exact for integers below 2^53 and, unlike int64, multiplied by BLAS.
        self._figures = np.array([row.figures for row in self._rows], dtype=np.float64).reshape(-1, FIGURES)
        self._products = Products.of(self._factors, self._figures)
        self._tucker = _tucker_terms(graph, self._rows, forms)
        self._constants, self._matrix = forms.compiled()

    def cost(self, parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS) -> Cost:
        """Cost of one candidate.

        Raises:
            ParameterError: an unknown or excluded group or layer.
        """
        kept, ranks = self.candidate(parameters, step)
        costs = CandidateCosts(self, kept, ranks)
        flops, params, weights, macs = (int(figure) for figure in costs.counted[0])
        # To a tenth of a nanosecond: far below what is measured, and short in files.
        latency = None if self.latency is None else round(float(costs.latency[0]), 4)
        others = {one.name: float(one.values(costs)[0]) for one in quantities().values() if one not in STANDARD}
        return Cost(flops, params, weights, macs, int(costs.memory[0]), latency, others)

    @cached_property
    def memory(self) -> PeakMemory:
        """Peak memory of activations, compiled when it is first asked for."""
        return PeakMemory(self.graph)

    def candidate(self, parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS) -> tuple[Ints, Ints]:
        """One candidate as arrays: kept channels (1, subgroups) and ranks (1, layers, 2).

        Raises:
            ParameterError: an unknown or excluded group or layer.
        """
        kept = self.counts.kept_subgroups(parameters.ratios, step)
        index = {layer.layer: i for i, layer in enumerate(self.graph.decomposable)}
        ranks = np.zeros((len(index), 2), dtype=np.int64)
        for name, pair in parameters.ranks.items():
            ranks[index[self.graph.convolution(name).layer]] = pair
        return kept[None], ranks[None]

    def evaluate(self, kept: Ints, ranks: Ints) -> Ints:
        """Cost of many candidates, shape (N, 4): FLOPs, parameters, bytes of weights, MACs.

        Args:
            kept: channels that stay in every subgroup, shape (N, subgroups).
            ranks: (In Rank, Out Rank) of every decomposable layer, 0 where it stays whole, shape (N, layers, 2).
        """
        figures = np.empty((len(kept), FIGURES), dtype=np.int64)
        for start in range(0, len(kept), _CHUNK):
            some = slice(start, start + _CHUNK)
            counts = self._counts_of(kept[some])
            figures[some] = np.rint(self._products.total(counts) + self._tucker.total(counts, ranks[some]))
        return figures

    def layer_costs(self, parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS) -> dict[str, Cost]:
        """Cost of every layer of one candidate, by the layer's name in the original model.

        The memory of a layer is that of all tensors alive at its call, 0 of an input that nothing reads; with a
        latency table, a layer without a law has latency 0.
        """
        kept, ranks = self.candidate(parameters, step)
        counts = self._counts_of(kept)
        products = counts[0, self._factors[:, 0]] * counts[0, self._factors[:, 1]]
        figures = np.zeros((len(self._layers), FIGURES))
        index = {name: number for number, name in enumerate(self._layers)}
        np.add.at(figures, [index[row.layer] for row in self._rows], products[:, None] * self._figures)
        changed = [index[layer.layer] for layer in self.graph.decomposable]
        np.add.at(figures, changed, self._tucker.by_layer(counts[0], ranks[0]))
        alive = self.memory.by_layer(kept, ranks)
        times = dict.fromkeys(self._layers) if self.latency is None else self.latency.by_layer(kept, ranks)
        rows = np.rint(figures).astype(np.int64).tolist()
        return {
            name: Cost(*[*row, alive.get(name, 0), times.get(name, 0.0)])
            for name, row in zip(self._layers, rows, strict=True)
        }

    def _counts_of(self, kept: Ints) -> NDArray[np.float64]:
        """Channels of every form, shape (N, forms)."""
        return self._constants + kept.astype(np.float64) @ self._matrix


@dataclass(frozen=True, eq=False)
class CandidateCosts:
    """Costs of many candidates, each kind computed when it is first asked for.

    Attributes:
        model: cost model of the original.
        kept: channels that stay in every subgroup, shape (N, subgroups).
        ranks: (In Rank, Out Rank) of every decomposable layer, 0 where it stays whole, shape (N, layers, 2).
    """

    model: CostModel
    kept: Ints
    ranks: Ints

    @cached_property
    def counted(self) -> Ints:
        """FLOPs, parameters, bytes of weights, MACs, shape (N, 4)."""
        return self.model.evaluate(self.kept, self.ranks)

    @cached_property
    def memory(self) -> Ints:
        """Peak bytes of activations, shape (N,)."""
        return self.model.memory.evaluate(self.kept, self.ranks)

    @cached_property
    def latency(self) -> Floats:
        """Microseconds, shape (N,); 0 without a latency table."""
        latency = self.model.latency
        return np.zeros(len(self.kept)) if latency is None else latency.evaluate(self.kept, self.ranks)


def learned_weights(graph: ChannelGraph) -> int:
    """The number of weights that training changes, as ``CostModel`` counts it, but without fixed image sizes."""
    weights = [weight for node in graph.nodes if not node.repeated for weight in node.weights]
    return sum(math.prod(weight.shape) for weight in weights if weight.learned)


def _tucker_terms(graph: ChannelGraph, rows: Sequence[_Row], forms: ChannelForms) -> TuckerTerms:
    """The change of cost by decomposing each decomposable layer."""
    whole: dict[str, NDArray[np.float64]] = {}
    for row in rows:
        if len(row.term.channels) == 2:
            whole[row.layer] = whole.get(row.layer, np.zeros(FIGURES)) + np.array(row.figures)
    calls: dict[str, list[Node]] = {}
    for node in graph.nodes:
        calls.setdefault(node.layer, []).append(node)
    return TuckerTerms.of(
        [_tucker_layer(calls[layer.layer], whole[layer.layer], forms) for layer in graph.decomposable]
    )


def _tucker_layer(calls: Sequence[Node], whole: NDArray[np.float64], forms: ChannelForms) -> TuckerLayer:
    kernel = calls[0].weight("kernel")
    if kernel is None:
        raise ModelError(f"layer '{calls[0].layer}': expected a convolution with a kernel, received none; report it")
    weight = np.array([0, int(kernel.learned), BYTES_PER_WEIGHT, 0], dtype=np.float64)
    mac = np.array([2.0, 0.0, 0.0, 1.0])
    return TuckerLayer(
        forms.number(calls[0].inputs[0]),
        forms.number(calls[0].output),
        math.prod(kernel.shape[:2]),
        whole,
        weight + mac * sum(positions(call.input_shapes[0]) for call in calls),
        weight + mac * sum(positions(call.output_shape) for call in calls),
    )


def _rows(node: Node) -> list[_Row]:
    rows = [_Row(node.layer, term, (term.coefficient, 0, 0, term.macs)) for term in flops_terms(node) or ()]
    if not node.repeated:
        for weight in node.weights:
            term = weight_term(weight)
            params = term.coefficient if weight.learned else 0
            rows.append(_Row(node.layer, term, (0, params, term.coefficient * BYTES_PER_WEIGHT, 0)))
    return rows
