import numpy as np

from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelCounts
from compress.parameters import ChannelStep
from tests.compress.fixtures import models


def test_counts_of_every_tensor_at_ratios():
    graph = analyse(models.partial_merge())
    counts = ChannelCounts.of(graph)
    # add: ceil(4 * 0.5) = 2 and ceil(6 * 0.5) = 3 of its subgroups; last: ceil(5 * 0.7) = 4.
    kept = counts.kept_subgroups({"add": 0.5, "last": 0.3})
    a, b = (int(counts.subgroup_of[graph.node(name).output[0]]) for name in ("a", "b"))
    assert (kept[a], kept[b], kept[2]) == (2, 3, 4)
    result = {name: counts.count(graph.node(name).output, kept) for name in ("a", "b", "c", "add", "last", "linear")}
    assert result == {"a": 2, "b": 3, "c": 5, "add": 5, "last": 4, "linear": 3}
    # Concat(add, b) holds the first subgroup once and the second twice, and none that stay in any case.
    constant, row = counts.form(graph.node("last").inputs[0])
    assert (constant, row[a], row[b], row[2]) == (0, 1, 2, 0)


def test_flattened_channels_count_once_per_position():
    graph = analyse(models.flatten())
    counts = ChannelCounts.of(graph)
    assert counts.count(graph.node("hidden").inputs[0], counts.kept_subgroups({"conv1": 0.5})) == 3 * 2 * 3


def test_input_channels_are_constant():
    graph = analyse(models.chain())
    constant, row = ChannelCounts.of(graph).form(graph.node("conv1").inputs[0])
    assert (constant, row.tolist()) == (3, [0, 0])


def test_step():
    counts = ChannelCounts.of(analyse(models.chain()))
    np.testing.assert_array_equal(counts.kept_subgroups({"conv1": 0.9}, ChannelStep(4)), [4, 6])
