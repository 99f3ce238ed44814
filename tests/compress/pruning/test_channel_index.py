import keras
import numpy as np
import pytest

from compress.cloning.walk import as_functional
from compress.decomposition.tucker import decompose
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.pruning.pruning import labels_without, prune_channels
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized
from tests.compress.fixtures.oracles import assert_same_outputs, unread, zeroed_in_place


@pytest.mark.parametrize(
    ("build", "channels"),
    [
        (models.chain, {"conv1": [0, 5], "conv2": [3]}),
        (models.residual, {"add_1": [1, 2, 7], "b0.conv1": [4]}),
        (lambda: models.depthwise(2), {"conv1": [5, 0]}),
        (models.flattened_concat, {"a": [2], "b": [0, 1, 2]}),
        (models.partial_merge, {"add": [0, 5, 6, 7]}),
        (models.sequential, {"hidden": [1]}),
    ],
)
def test_exactly_the_named_channels_go(build, channels):
    model = randomized(build())
    graph = analyse(model)
    kept = np.ones(graph.labels, dtype=bool)
    for name, indices in channels.items():
        kept[graph.node(name).output[indices]] = False
    np.testing.assert_array_equal(labels_without(graph, channels), kept)
    small = prune_channels(model, channels)
    assert small.count_params() < model.count_params()
    source = as_functional(model)
    assert_same_outputs(small, unread(source, graph, kept))
    assert_same_outputs(small, zeroed_in_place(source, graph, kept))


def test_by_hand():
    model = randomized(models.chain())
    small = prune_channels(model, {"conv1": [0, 5]})
    kept = [1, 2, 3, 4, 6, 7]
    np.testing.assert_array_equal(
        small.get_layer("conv1").kernel, np.asarray(model.get_layer("conv1").kernel)[..., kept]
    )
    np.testing.assert_array_equal(
        small.get_layer("conv2").kernel, np.asarray(model.get_layer("conv2").kernel)[:, :, kept]
    )


def test_a_group_keeps_its_name_on_a_decomposed_model():
    model = decompose(randomized(models.chain()), {"conv2": (4, 4)})
    assert prune_channels(model, {"conv2": [0, 1]}).get_layer("conv2_tucker_2").filters == 4


def test_nothing_to_remove():
    model = randomized(models.chain())
    for channels in ({}, {"conv1": []}):
        assert prune_channels(model, channels).count_params() == model.count_params()


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ({"conv1": [8]}, "group 'conv1': expected channels from 0 to 7, received 8"),
        ({"conv1": [0, -1]}, "group 'conv1': expected channels from 0 to 7, received -1"),
        ({"conv1": [2, 3, 2]}, "group 'conv1': expected every channel once, received 2 twice"),
        ({"conv1": [0.5]}, "group 'conv1': expected a list of channel indices, received"),
        ({"conv1": 3}, "group 'conv1': expected a list of channel indices, received 3"),
        ({"conv1": [True]}, "group 'conv1': expected a list of channel indices"),
        ({"conv1": list(range(8))}, "expected at least one channel to stay"),
        ({"conv9": [0]}, "unknown layer or group 'conv9'"),
        ({"linear": [0]}, "cannot be pruned"),
    ],
)
def test_refused(channels, message):
    with pytest.raises(ParameterError) as caught:
        prune_channels(randomized(models.chain()), channels)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_part_of_a_split_that_would_lose_all_its_channels():
    inputs = keras.Input((6, 6, 3))
    parts = keras.ops.split(models.conv(inputs, "before", 8), 2, axis=-1)
    model = keras.Model(
        inputs, [models.head(part) if i == 0 else models.conv(part, "b", 2) for i, part in enumerate(parts)]
    )
    with pytest.raises(ParameterError, match=r"^layer 'split.*': expected at least one channel to stay"):
        prune_channels(model, {"before": [4, 5, 6, 7]})


def test_a_layer_that_would_lose_all_its_channels_although_its_group_would_not():
    with pytest.raises(ParameterError, match=r"^layer 'a': expected at least one channel to stay"):
        prune_channels(randomized(models.partial_merge()), {"add": [0, 1, 2, 3]})
