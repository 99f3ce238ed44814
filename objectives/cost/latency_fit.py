"""Measures a latency table: laws of single layer calls on small models, then overhead and scale on built models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import keras
import numpy as np
from scipy.optimize import nnls

from compress.cloning.layers import layers_by_name
from compress.cloning.walk import as_functional
from compress.decomposition.factored_layer import replace_layers
from compress.decomposition.tucker import tucker_chain
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelCounts, ChannelGraph
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from compress.pruning.settings import PruningSettings
from objectives.cost.cost_model import CostModel
from objectives.cost.latency import LatencySettings, measure_latency
from objectives.cost.latency_model import timed_calls
from objectives.cost.latency_table import Geometry, LatencyTable, Law
from objectives.cost.quantities.standard import LATENCY
from objectives.cost.terms import Floats

Measure = Callable[[Any], float]
"""Microseconds of one forward pass of a model."""

_LEVELS = (0.125, 0.5, 1.0)
"""Shares of a layer's channels at which its law is measured."""

_PROBES = ((0.0, 0.0), (0.5, 0.0), (0.8, 0.0), (0.0, 0.4), (0.4, 0.3))
"""Pruning ratio and fraction of the ranks, 0 for none, of the built models that overhead and scale are fitted to."""

_SHORTEST = 0.01
"""Least microseconds of a call, by which relative errors are divided."""


@dataclass(frozen=True)
class _Grid:
    """Channels at which a geometry is measured."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def joined(self, other: "_Grid") -> "_Grid":
        """The grid up to the larger numbers of channels; a number that never varies is one level."""
        return _Grid(_joined(self.inputs, other.inputs), _joined(self.outputs, other.outputs))


def measured_table(
    model: Any, settings: LatencySettings, measure: Measure | None = None, across_normalization: bool = False
) -> LatencyTable:
    """The latency table of a functional or Sequential model, of its parts and of all that it can be compressed to.

    Args:
        model: the original model; it is not modified.
        settings: how to measure.
        measure: microseconds of a model, by default the first quartile, which other work on the machine disturbs least.
        across_normalization: whether channels may go over which a layer normalizes.

    Raises:
        ModelError: the model cannot be run so.
    """
    source = as_functional(model)
    graph = analyse(source, across_normalization)
    timed = measure or (lambda built: measure_latency(built, settings).low)
    call = timed(_empty())
    laws = tuple(
        (geometry, _law(geometry, grid, lambda built: max(timed(built) - call, _SHORTEST)))
        for geometry, grid in _grids(graph, settings).items()
    )
    return _added_up(source, graph, LatencyTable(settings, laws), timed)


def untimed(graph: ChannelGraph) -> tuple[str, ...]:
    """Class names of the layers with weights that have no law; what they take is a part of the overhead."""
    return tuple(dict.fromkeys(node.kind for node in graph.nodes if node.weights and Geometry.of(node) is None))


def _empty() -> Any:
    inputs = keras.Input((1, 1, 1))
    return keras.Model(inputs, keras.layers.ReLU()(inputs))


def _grids(graph: ChannelGraph, settings: LatencySettings) -> dict[Geometry, _Grid]:
    grids: dict[Geometry, _Grid] = {}
    for geometry, grid in _wanted(graph, settings):
        grids[geometry] = grids[geometry].joined(grid) if geometry in grids else grid
    return grids


def _wanted(graph: ChannelGraph, settings: LatencySettings) -> Iterator[tuple[Geometry, _Grid]]:
    """Every call that has a law, and the parts of those that may be decomposed, with its channels."""
    counts = ChannelCounts.of(graph)
    decomposable = {layer.layer for layer in graph.decomposable}
    for node, geometry in timed_calls(graph, settings):
        into, out = node.inputs[0].size, node.output.size
        step = geometry.groups if geometry.kind.startswith("Conv") else 1
        inputs = _levels(into, bool(counts.form(node.inputs[0])[1].any()), step)
        yield geometry, _Grid(inputs, _levels(out, bool(counts.form(node.output)[1].any()), step))
        if node.layer in decomposable:
            yield geometry, _Grid(_levels(into), _levels(out))
            yield geometry.parts[0], _Grid(_levels(into), _levels(into))
            yield geometry.parts[2], _Grid(_levels(out), _levels(out))


def _levels(channels: int, varies: bool = True, step: int = 1) -> tuple[int, ...]:
    if not varies:
        return (channels,)
    return tuple(sorted({max(step, round(channels * share / step) * step) for share in _LEVELS}))


def _joined(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    if len(first) == len(second) == 1:
        return tuple(sorted({*first, *second}))
    return max(first, second, key=lambda levels: (levels[-1], len(levels)))


def _law(geometry: Geometry, grid: _Grid, measure: Measure) -> Law:
    """The law that is nearest to the measured calls, in relative terms, without negative coefficients."""
    if geometry.mixes:
        channels = list(product(grid.inputs, grid.outputs))
    else:
        outputs = geometry.groups if geometry.kind == "DepthwiseConv2D" else 1
        channels = [(count, count * outputs) for count in grid.inputs]
    times = [measure(geometry.model(pair)) for pair in channels]
    terms = [
        (1.0, into, out if geometry.mixes else 0.0, into * out if geometry.mixes else 0.0) for into, out in channels
    ]
    return Law(*_nearest(terms, times))


def _nearest(terms: Sequence[Sequence[float]], times: Sequence[float]) -> list[float]:
    """Coefficients of the terms, none negative, whose sums are nearest to the times in relative terms."""
    rows = np.array(terms, dtype=np.float64) / np.array(times)[:, None]
    # Columns of one size: otherwise what counts products is lost in the tolerance of the solver.
    size = np.maximum(np.abs(rows).max(axis=0), np.finfo(np.float64).tiny)
    coefficients: Floats = nnls(rows / size, np.ones(len(times)))[0] / size
    return [float(value) for value in coefficients]


def _added_up(source: Any, graph: ChannelGraph, table: LatencyTable, measure: Measure) -> LatencyTable:
    """The table with overhead and scale of models that are built, the original first."""
    cost = CostModel(graph, table)
    probes = _probes(cost)
    pruning = PruningSettings(across_normalization=graph.across_normalization)
    times = [measure(_built(source, probe, pruning)) for probe in probes]
    overhead, scale = _nearest([(1.0, LATENCY.of(cost.cost(probe))) for probe in probes], times)
    return replace(table, overhead=overhead, scale=scale, original=times[0])


def _built(source: Any, parameters: CompressionParameters, pruning: PruningSettings) -> Any:
    """The compressed model as the recipe builds it, with constant factors, whose values do not change the latency."""
    pruned = prune(source, parameters.ratios, pruning)
    layers = layers_by_name(pruned)
    chains = {name: tucker_chain(layers[name], pair) for name, pair in parameters.ranks.items()}
    return replace_layers(
        pruned, chains, lambda name, kernel: [np.full(part.kernel.shape, 0.01) for part in chains[name]]
    )


def _probes(cost: CostModel) -> list[CompressionParameters]:
    """Candidates that differ in how much is pruned and how far the rest is decomposed, each once."""
    probes: list[CompressionParameters] = []
    for ratio, share in _PROBES:
        ratios = {group.name: ratio for group in cost.graph.groups if ratio}
        kept = cost.counts.kept_subgroups(ratios)
        ranks = {}
        for layer in cost.graph.decomposable if share else ():
            node = cost.graph.node(layer.layer)
            left = [cost.counts.count(labels, kept) for labels in (node.inputs[0], node.output)]
            ranks[layer.layer] = (max(1, round(left[0] * share)), max(1, round(left[1] * share)))
        probe = CompressionParameters(ratios, ranks)
        probes += [] if probe in probes else [probe]
    return probes
