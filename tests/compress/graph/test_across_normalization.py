"""Pruning through normalization across channels: what is left is normalized with its own statistics."""

import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.model_channels import ModelChannels, check_made_for
from compress.graph.naming import not_exact
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune_channels, remove
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from tests.compress.fixtures.models import conv, images, randomized, with_layer
from tests.compress.fixtures.oracles import assert_equals_masked, kept_labels
from tests.compress.fixtures.user_layers import ResponseNormalization

ACROSS = PruningSettings(across_normalization=True)
RATIOS = {"before": 0.5, "after": 0.5}


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.LayerNormalization(name="norm"),
        lambda: layers.LayerNormalization(axis=[1, 2, 3], name="norm"),
        lambda: layers.LayerNormalization(center=False, scale=False, name="norm"),
        lambda: layers.RMSNormalization(name="norm"),
        lambda: layers.GroupNormalization(1, name="norm"),
        lambda: layers.GroupNormalization(1, center=False, name="norm"),
    ],
    ids=["layer", "layer and positions", "layer without weights", "root mean square", "one group", "without offset"],
)
def test_what_stays_is_normalized_with_its_own_statistics(layer):
    model = randomized(with_layer(layer()))
    assert [group.name for group in analyse(model).groups] == ["after", "last"]
    graph = analyse(model, across_normalization=True)
    assert [group.name for group in graph.groups] == ["before", "after", "last"]
    assert graph.not_exact == ("norm",)
    kept = kept_labels(model, graph, RATIOS)
    small = remove(model, graph, kept)
    assert_equals_masked(small, model, graph, kept)
    assert not any("norm" in name for name in analyse(small).not_exact)
    predicted = CostModel(graph).cost(CompressionParameters(RATIOS, {}))
    assert predicted == CostModel(analyse(small)).cost(CompressionParameters.none())


def values(model, name):
    """What a layer of a model computes."""
    return np.asarray(keras.Model(model.inputs[0], model.get_layer(name).output)(images(model)))


def left_of(model):
    """A pruned model, the channels of 'before' that it keeps, their values, and the scale and offset behind them."""
    left = np.delete(np.arange(8), [1, 5])
    small = prune_channels(model, {"before": [1, 5]}, across_normalization=True)
    weights = (np.asarray(getattr(model.get_layer("norm"), name))[left] for name in ("gamma", "beta"))
    return small, values(model, "before")[..., left], *weights


def test_all_before_it_is_exact_and_it_computes_what_a_smaller_one_does():
    small, x, gamma, beta = left_of(randomized(with_layer(layers.LayerNormalization(epsilon=1e-5, name="norm"))))
    np.testing.assert_allclose(values(small, "before"), x, rtol=1e-5, atol=1e-6)
    normalized = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(values(small, "norm"), normalized * gamma + beta, rtol=1e-4, atol=1e-5)


def test_a_layer_of_the_user_s_that_normalizes_across_channels():
    model = randomized(with_layer(ResponseNormalization(name="norm")))
    assert "before" not in {group.name for group in analyse(model).groups}
    small, x, gamma, beta = left_of(model)
    norm = np.sqrt(np.sum(x**2, (1, 2), keepdims=True) + 1e-6)
    expected = x * (gamma * norm / (norm.mean(-1, keepdims=True) + 1e-6) + 1) + beta
    np.testing.assert_allclose(values(small, "norm"), expected, rtol=1e-4, atol=1e-5)


def mixer():
    """A residual block of ConvNeXt with one of PoolFormer's behind it."""
    inputs = keras.Input((8, 8, 3))
    x = stem = layers.LayerNormalization(name="stem.norm")(conv(inputs, "stem", 8, 4, strides=2))
    x = layers.LayerNormalization(name="norm")(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.Dense(8, name="project")(layers.Dense(12, activation="gelu", name="expand")(x))
    x = layers.Add(name="add")([stem, x])
    y = layers.GroupNormalization(1, name="pool.norm")(x)
    y = layers.Subtract()([layers.AveragePooling2D(3, 1, padding="same")(y), y])
    x = layers.GlobalAveragePooling2D()(layers.Add(name="add_1")([x, y]))
    return keras.Model(inputs, layers.Dense(3, name="linear")(x))


def test_a_network_of_such_blocks_is_pruned_as_a_whole():
    model = randomized(mixer())
    assert [group.name for group in analyse(model).groups] == ["expand"]
    graph = analyse(model, across_normalization=True)
    assert [(group.name, group.channels) for group in graph.groups] == [("expand", 12), ("add_1", 8)]
    assert not_exact(graph.not_exact) == (
        "not exact: normalized across channels, over those that stay: 'stem.norm', 'norm', 'pool.norm'"
    )
    ratios = {"add_1": 0.4, "expand": 0.5}
    kept = kept_labels(model, graph, ratios)
    assert_equals_masked(remove(model, graph, kept), model, graph, kept)
    parameters = CompressionParameters(ratios, {})
    for recipe in (("prune", "decompose"), ("decompose", "prune")):
        built = apply_parameters(model, parameters, recipe, pruning=ACROSS)
        assert CostModel(graph).cost(parameters) == CostModel(analyse(built)).cost(CompressionParameters.none())


def test_parameters_that_need_it_are_refused_without_it():
    plain, across = (analyse(mixer(), across_normalization=allowed) for allowed in (False, True))
    check_made_for(across, ModelChannels.of(plain))
    with pytest.raises(ParameterError, match="there is no group 'add_1' here, .*, or prune across normalization"):
        check_made_for(plain, ModelChannels.of(across))
