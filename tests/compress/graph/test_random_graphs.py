"""Randomly built graphs: pruned models compute what they must, and cost what was predicted."""

import os
from dataclasses import fields, is_dataclass
from typing import get_args

import numpy as np

from compress.cloning.walk import as_functional
from compress.graph import graph_file
from compress.graph.analysis import analyse
from compress.parameters import SINGLE_CHANNELS, ChannelStep, CompressionParameters, Rounding
from compress.pruning.pruning import remove
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from tests.compress.fixtures.oracles import assert_equals_masked, assert_same_outputs, kept_labels
from tests.compress.graph.graph_steps import STEPS
from tests.compress.graph.random_graph import Decks, RandomGraph

GRAPHS = int(os.environ.get("TUCKPRUNE_GRAPHS", "42"))
"""Enough that every alternative comes up; continuous integration builds more."""
STEPS_EACH = 9
RATIOS = (0.0, 0.2, 0.5, 0.75, 0.9)


def test_any_graph():
    decks, pruned = Decks(0), 0
    for number in range(GRAPHS):
        print(f"graph {number}")
        rng = np.random.default_rng(number)
        model = RandomGraph(decks, STEPS).model(STEPS_EACH)
        source = as_functional(model)
        if source is not model:  # Else nothing was made flat.
            assert_same_outputs(source, model)
        analysed = analyse(source, across_normalization=number % 3 == 0)
        graph = graph_file.loads(graph_file.dumps(analysed))
        assert_same_graph(graph, analysed)
        ratios = {group.name: float(rng.choice(RATIOS)) for group in graph.groups}
        kept = kept_labels(source, graph, ratios)
        small = remove(source, graph, kept)
        assert_equals_masked(small, source, graph, kept)
        check_cost(small, graph, CompressionParameters(ratios, {}))
        if number % 8 == 0:
            check_decomposed(source, graph, ratios, rng)
        pruned += small.count_params() < source.count_params()
    assert pruned > 0.8 * GRAPHS
    assert [place for (place, count), drawn in decks.drawn.items() if len(drawn) < min(count, drawn.total())] == []


def assert_same_graph(graph, expected):
    """Of a graph, and of every part of it."""
    assert type(graph) is type(expected)
    if is_dataclass(expected):
        for item in fields(expected):
            assert_same_graph(getattr(graph, item.name), getattr(expected, item.name))
    elif isinstance(expected, tuple):
        assert len(graph) == len(expected)
        for part, other in zip(graph, expected, strict=True):
            assert_same_graph(part, other)
    else:
        np.testing.assert_array_equal(graph, expected, strict=True)


def check_decomposed(source, graph, ratios, rng):
    """With ranks, channels in steps, and in either order of the stages."""
    step = ChannelStep(int(rng.integers(1, 4)), str(rng.choice(get_args(Rounding))))
    parameters = CompressionParameters(ratios, drawn_ranks(graph, ratios, rng, step))
    pruning = PruningSettings(step=step, across_normalization=graph.across_normalization)
    for recipe in (("prune", "decompose"), ("decompose", "prune")):
        check_cost(apply_parameters(source, parameters, recipe, pruning=pruning), graph, parameters, step)


def drawn_ranks(graph, ratios, rng, step):
    """Ranks of some convolutions, within what pruning leaves."""
    counts = CostModel(graph).counts
    kept = counts.kept_subgroups(ratios, step)
    ranks = {}
    for layer in graph.decomposable:
        node = graph.node(layer.layer)
        left = [counts.count(labels, kept) for labels in (node.inputs[0], node.output)]
        if rng.random() < 0.5:
            ranks[layer.layer] = tuple(int(rng.integers(1, channels + 1)) for channels in left)
    return ranks


def check_cost(built, graph, parameters, step=SINGLE_CHANNELS):
    """The cost that is told from the parameters is the built model's own."""
    expected = CostModel(graph).cost(parameters, step)
    assert CostModel(analyse(built)).cost(CompressionParameters.none()) == expected
    assert sum(int(np.prod(weight.shape)) for weight in built.trainable_weights) == expected.params
    assert 4 * sum(int(np.prod(weight.shape)) for weight in built.weights) == expected.bytes
