"""Latency of candidates as a latency table predicts it: many at once, and no model is built."""

from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import numpy as np

from compress.graph.channel_graph import ChannelCounts, ChannelGraph
from compress.graph.group import Node
from objectives.cost.latency import LatencySettings
from objectives.cost.latency_table import FUSED, Geometry, LatencyTable
from objectives.cost.terms import ChannelForms, Floats, Ints, Products


class LatencyModel:
    """Latency as a function of kept channels and ranks, compiled once from a graph and a table.

    Candidates are arrays as those of ``CostModel``.

    Raises:
        ModelError: the table was measured for another model.
    """

    def __init__(self, graph: ChannelGraph, table: LatencyTable) -> None:
        self._table = table
        forms = ChannelForms(ChannelCounts.of(graph))
        calls = list(timed_calls(graph, table.settings))
        self._layers = [node.layer for node, _ in calls]
        self._factors = np.array([_factors(node, forms) for node, _ in calls], dtype=np.int64).reshape(-1, 2)
        self._laws = np.array([astuple(table.law(geometry)) for _, geometry in calls]).reshape(-1, 4)
        self._products = _products(self._factors, self._laws)
        number = {layer.layer: index for index, layer in enumerate(graph.decomposable)}
        self._split = [index for index, (node, _) in enumerate(calls) if node.layer in number]
        self._rank = np.array([number[self._layers[index]] for index in self._split], dtype=np.int64)
        parts = [[astuple(table.law(part)) for part in calls[index][1].parts] for index in self._split]
        self._parts = np.array(parts).reshape(-1, 3, 4)
        self._constants, self._matrix = forms.compiled()

    def evaluate(self, kept: Ints, ranks: Ints) -> Floats:
        """Microseconds of many candidates, shape (N,).

        Args:
            kept: channels that stay in every subgroup, shape (N, subgroups).
            ranks: (In Rank, Out Rank) of every decomposable layer, 0 where it stays whole, shape (N, layers, 2).
        """
        counts = self._constants + kept.astype(np.float64) @ self._matrix
        calls: Floats = self._products.total(counts)[:, 0] + self._change(counts, ranks).sum(axis=1)
        return self._table.overhead + self._table.scale * calls

    def by_layer(self, kept: Ints, ranks: Ints) -> dict[str, float]:
        """Microseconds of every layer of one candidate that has a law, all its calls together."""
        counts = self._constants + kept.astype(np.float64) @ self._matrix
        own = _at(self._laws, counts[0, self._factors[:, 0]], counts[0, self._factors[:, 1]])
        own[self._split] += self._change(counts, ranks)[0]
        times: dict[str, float] = {}
        for layer, microseconds in zip(self._layers, own.tolist(), strict=True):
            times[layer] = times.get(layer, 0.0) + self._table.scale * microseconds
        return times

    def _change(self, counts: Floats, ranks: Ints) -> Floats:
        """Microseconds that decomposition adds to every call of a decomposable layer, shape (N, calls)."""
        into, out = (counts[:, self._factors[self._split, side]] for side in (0, 1))
        rank_in, rank_out = (ranks[:, self._rank, side].astype(np.float64) for side in (0, 1))
        first, core, last = self._parts.transpose(1, 0, 2)
        parts = _at(first, into, rank_in) + _at(core, rank_in, rank_out) + _at(last, rank_out, out)
        change: Floats = np.where(rank_in > 0, parts - _at(self._laws[self._split], into, out), 0.0)
        return change


def _at(laws: Floats, inputs: Floats, outputs: Floats) -> Any:
    """Laws of shape (calls, 4) at channels of shape (..., calls)."""
    base, per_input, per_output, per_pair = laws.T
    return base + per_input * inputs + (per_output + per_pair * inputs) * outputs


def timed_calls(graph: ChannelGraph, settings: LatencySettings) -> Iterator[tuple[Node, Geometry]]:
    """Every call that has a law of its own."""
    for node in graph.nodes:
        geometry = Geometry.of(node)
        if geometry is not None and not (settings.runtime == "litert" and geometry.kind in FUSED):
            yield node, geometry


def _factors(node: Node, forms: ChannelForms) -> tuple[int, int]:
    return forms.number(node.inputs[0]), forms.number(node.output)


def _products(factors: Ints, laws: Floats) -> Products:
    """The sum of laws at two forms each; form 0 is the constant 1."""
    none = np.zeros(len(factors), dtype=np.int64)
    pairs = [(none, none), (factors[:, 0], none), (none, factors[:, 1]), (factors[:, 0], factors[:, 1])]
    rows = np.concatenate([np.stack(pair, axis=1) for pair in pairs])
    return Products.of(rows, laws.T.reshape(-1, 1))
