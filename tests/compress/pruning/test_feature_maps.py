import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import DataError, ModelError
from compress.graph.analysis import analyse
from compress.pruning.criteria.nuclear_norm import NuclearNorm, nuclear_norms
from compress.pruning.pruning import prune
from compress.pruning.settings import PruningSettings
from tests.compress.fixtures import models
from tests.compress.fixtures.models import images, outputs, randomized


def measured(model, *arrays):
    graph = analyse(model)
    result = NuclearNorm(arrays).scores(model, graph, np.ones(graph.labels, dtype=bool))
    return {layer.layer: layer.values for layer in result}


def tensor(model, layer, x):
    """What a layer answers to images."""
    return outputs(keras.Model(model.inputs, model.get_layer(layer).output), [x])[0]


def test_nuclear_norms_by_hand():
    # Rank one: the product of the lengths. An identity: one for every row. A rotation of it: the same.
    outer = np.outer([3.0, 4, 0], [0.6, 0.8])
    turned = np.eye(3, 2)[[2, 0, 1]]
    maps = np.stack([outer, np.eye(3, 2), turned, np.zeros((3, 2))], axis=-1)[None]
    np.testing.assert_allclose(nuclear_norms(maps), [[5, 2, 2, 0]], atol=1e-12)


def test_nuclear_norms_of_other_ranks():
    np.testing.assert_allclose(nuclear_norms(np.array([[1.0, -2], [0, 3]])), [[1, 2], [0, 3]])  # dense
    np.testing.assert_allclose(nuclear_norms(np.array([[[3.0], [4]]])), [[5]])  # a signal: its length
    volume = np.arange(8.0).reshape(1, 2, 2, 2, 1)
    expected = np.linalg.svd(np.arange(8.0).reshape(2, 4), compute_uv=False).sum()
    np.testing.assert_allclose(nuclear_norms(volume), [[expected]])


def test_feature_maps_are_what_the_next_layers_read():
    model = randomized(models.residual())
    x = images(model, count=20)
    result = measured(model, x)
    behind = {
        "conv1": "conv1.relu",  # read by two layers
        "b0.conv1": "b0.conv1.relu",
        "b0.conv2": "b0.bn2",  # an addition follows
        "b0.shortcut": "b0.shortcut",
        "b1.conv1": "b1.conv1.relu",
        "b1.conv2": "b1.bn2",
        "linear": "linear",
    }
    assert set(result) == set(behind)
    for name, layer in behind.items():
        expected = nuclear_norms(tensor(model, layer, x)).mean(axis=0)
        np.testing.assert_allclose(result[name], expected, rtol=1e-5)


def test_a_feature_map_that_is_an_output_of_the_model():
    model = randomized(models.several_ends())
    first, second = images(model)
    result = measured(model, first, second)
    features = outputs(model, [first, second])[0]
    np.testing.assert_allclose(result["features"], nuclear_norms(features).mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("build", [lambda: models.depthwise(2), models.shared, models.dense_blocks, models.flatten])
def test_channels_of_every_kind_of_layer_are_scored(build):
    model = randomized(build())
    graph = analyse(model)
    for layer in NuclearNorm((images(model),)).scores(model, graph, np.ones(graph.labels, dtype=bool)):
        assert layer.values.shape == layer.labels.shape == graph.node(layer.layer).output.shape
        assert np.all(layer.values >= 0)


@pytest.mark.parametrize("count", [1, 2, 20])
def test_a_group_alone_has_the_scores_that_it_has_among_others(count):
    model = randomized(models.chain())
    graph, x = analyse(model), images(model, count=count)
    together = measured(model, x)
    for group in graph.groups:
        wanted = np.isin(np.arange(graph.labels), np.concatenate(group.subgroups))
        alone = {layer.layer: layer.values for layer in NuclearNorm((x,)).scores(model, graph, wanted)}
        assert set(alone) == set(group.layers)
        for name, values in alone.items():
            np.testing.assert_allclose(values, together[name], rtol=1e-5)


def test_the_channels_of_the_poorest_maps_go():
    # ReLU lets nothing of channel 1 pass, and a constant of channel 2: rank 1, where the image has more.
    inputs = keras.Input((4, 4, 1))
    conv = layers.Conv2D(3, 1, name="conv1")
    model = keras.Model(inputs, models.head(layers.ReLU()(conv(inputs))))
    conv.kernel.assign(np.reshape([1.0, -9, 0], (1, 1, 1, 3)))
    conv.bias.assign([0.0, 0, 0.1])
    x = np.eye(4)[None, ..., None].astype(np.float32)
    np.testing.assert_allclose(measured(model, x)["conv1"], [4, 0, 0.4], rtol=1e-6)
    small = prune(model, {"conv1": 0.5}, PruningSettings(NuclearNorm((x,))))
    np.testing.assert_array_equal(np.ravel(small.get_layer("conv1").kernel), [1, 0])


def test_the_model_is_untouched():
    model = randomized(models.residual())
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    x = images(model)
    before = outputs(model, x)[0]
    measured(model, x)
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    np.testing.assert_array_equal(outputs(model, x)[0], before)


@pytest.mark.parametrize(
    "arrays",
    [(), (np.zeros((2, 8, 8, 1)),), (np.zeros((0, 8, 8, 3)),), (np.zeros((8, 8, 3)),), (np.zeros((2, 8, 8, 3)),) * 2],
)
def test_images_that_do_not_fit(arrays):
    with pytest.raises(DataError) as caught:
        measured(randomized(models.chain()), *arrays)
    assert "expected at least one image for each of the model's inputs [(8, 8, 3)], received" in str(caught.value)


def test_feature_maps_that_are_not_finite():
    model = randomized(models.chain())
    model.get_layer("conv2").bias.assign([np.nan] * 6)
    with pytest.raises(ModelError, match=r"^layer 'conv2': expected finite feature maps, received NaN or infinity"):
        measured(model, images(model))
