from typing import get_args

import numpy as np
import pytest

from compress.graph.analysis import analyse
from compress.pruning.criterion import LayerScores
from compress.pruning.pruning import group_energy, group_scores, prune
from compress.pruning.settings import LayerNorm, PruningSettings
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized


class Known:
    """A criterion of given scores; a layer may hold a label several times, as every group of a grouped convolution."""

    def __init__(self, **layers):
        self._layers = layers

    def scores(self, model, graph, wanted):
        for layer, (labels, values) in self._layers.items():
            yield LayerScores(layer, np.array(labels), np.array(values, dtype=float))


def scores(settings, **layers):
    model = models.residual()
    graph = analyse(model)
    group = graph.group("add_1")
    first = int(group.subgroups[0][0])
    known = {name: (np.add(labels, first), values) for name, (labels, values) in layers.items()}
    result = group_scores(model, graph, group, settings=PruningSettings(Known(**known), **settings))
    return result[group.subgroups[0]][:3]


@pytest.mark.parametrize(("policy", "expected"), [("average", [5.5, 2.5, 3.5]), ("sum", [11, 5, 7])])
def test_policies(policy, expected):
    result = scores({"policy": policy}, a=([0, 1, 2], [1, 2, 3]), b=([0, 1, 2], [10, 3, 4]))
    np.testing.assert_allclose(result, expected)


@pytest.mark.parametrize(("policy", "expected"), [("average", [(3 + 2) / 2, (4 + 6) / 2]), ("sum", [4, 7])])
def test_group_policies(policy, expected):
    # Layer a holds labels 0 and 1 twice: 1 and 5, 2 and 6 under "average" are 3 and 4, under "sum" 6 and 8.
    result = scores({"group_policy": policy}, a=([0, 1, 0, 1], [1, 2, 5, 6]), b=([0, 1], [2, 6]))
    np.testing.assert_allclose(result[:2], expected)


def test_layer_norms_act_on_each_layer_before_layers_are_combined():
    # Unnormalized, b decides. Scaled to [0, 1] the layers count alike: 1, 0, 0.5 and 0, 0.5, 1.
    layers = {"a": ([0, 1, 2], [3, 1, 2]), "b": ([0, 1, 2], [80, 110, 140])}
    np.testing.assert_allclose(scores({}, **layers), [41.5, 55.5, 71])
    np.testing.assert_allclose(scores({"layer_norm": "linear_scaling"}, **layers), [0.5, 0.25, 0.75])
    np.testing.assert_allclose(
        scores({"layer_norm": "tss_norm", "policy": "sum"}, **layers), [3 / 6 + 8 / 33, 1 / 6 + 1 / 3, 2 / 6 + 14 / 33]
    )


@pytest.mark.parametrize("norm", get_args(LayerNorm))
def test_layer_norms_do_not_change_a_group_of_one_layer(norm):
    model = randomized(models.chain())
    ratios = {"conv1": 0.5, "conv2": 0.4}
    plain, scaled = prune(model, ratios), prune(model, ratios, PruningSettings(layer_norm=norm))
    for one, other in zip(plain.get_weights(), scaled.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("norm", get_args(LayerNorm))
@pytest.mark.parametrize("build", [models.residual, models.partial_merge, models.crossed_merge])
def test_average_and_sum_remove_the_same_channels(build, norm):
    model = randomized(build())
    ratios = {group.name: 0.5 for group in analyse(model).groups}
    small = [prune(model, ratios, PruningSettings(layer_norm=norm, policy=policy)) for policy in ("average", "sum")]
    for one, other in zip(*(result.get_weights() for result in small), strict=True):
        np.testing.assert_array_equal(one, other)


def test_several_groups_at_once():
    model = randomized(models.residual())
    graph = analyse(model)
    together = group_scores(model, graph, *graph.groups)
    alone = [group_scores(model, graph, group) for group in graph.groups]
    np.testing.assert_array_equal(together, np.sum(alone, axis=0))
    np.testing.assert_array_equal(group_scores(model, graph), np.zeros(graph.labels))


def test_energy_is_the_sum_of_squared_scores():
    model = models.residual()
    graph = analyse(model)
    group = graph.group("add_1")
    labels = group.subgroups[0]
    criterion = Known(a=(labels, range(8)), b=(labels, [2] * 8))
    np.testing.assert_array_equal(group_energy(model, graph, group, criterion), [4 + n * n for n in range(8)])
