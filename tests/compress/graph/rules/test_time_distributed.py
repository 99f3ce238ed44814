"""Layers inside TimeDistributed are pruned as outside of it, and cost so many times as much."""

import keras
import pytest
from keras import layers

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.criteria.nuclear_norm import NuclearNorm
from compress.pruning.pruning import prune
from compress.pruning.settings import PruningSettings
from compress.recommend.recommend import recommend_ratios
from objectives.cost.cost_model import CostModel
from tests.compress.fixtures.models import images, randomized
from tests.compress.fixtures.oracles import checked_prune

STEPS, SIDE = 3, 6


def over_time(layer, **options):
    return layers.TimeDistributed(layer, **options)


def clips():
    """A small network for clips of images: convolutions at every step, then dense layers over what they give."""
    x = inputs = keras.Input((STEPS, SIDE, SIDE, 3))
    x = over_time(layers.Conv2D(8, 3, padding="same", activation=keras.ops.silu), name="a")(x)
    x = over_time(layers.BatchNormalization(), name="a.bn")(x)
    x = over_time(layers.MaxPooling2D(2))(x)
    y = over_time(layers.DepthwiseConv2D(3, padding="same"))(x)
    x = layers.Add(name="add")([x, over_time(layers.Conv2D(8, 1), name="b")(y)])
    x = over_time(layers.Flatten())(over_time(layers.Dropout(0.5))(x))
    x = over_time(layers.Dense(5, activation="relu"), name="c")(x)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))


def test_channels_of_every_step_are_pruned():
    graph, small = checked_prune(clips(), {"add": 0.5, "c": 0.4})
    assert [(group.name, group.layers, group.channels) for group in graph.groups] == [
        ("add", ("a", "b"), 8),
        ("c", ("c",), 5),
    ]
    shapes = {name: tuple(small.get_layer(name).layer.kernel.shape) for name in ("a", "b", "c")}
    assert shapes == {"a": (3, 3, 3, 4), "b": (1, 1, 4, 4), "c": (3 * 3 * 4, 3)}
    predicted = CostModel(graph).cost(CompressionParameters({"add": 0.5, "c": 0.4}, {}))
    assert predicted == CostModel(analyse(small)).cost(CompressionParameters.none())
    assert sum(int(keras.ops.size(weight)) for weight in small.trainable_weights) == predicted.params


@pytest.mark.parametrize(
    ("layer", "flops"),
    [
        # 36 positions, 3 x 3 x 3 products and a bias for each of 4 filters; 9 windows of 4; 6 x 3 products.
        (layers.Conv2D(4, 3, padding="same"), 36 * 4 * (2 * 27 + 1)),
        (layers.AveragePooling2D(2), 9 * 4 * 3),
        (layers.Dense(5, use_bias=False), 36 * 2 * 3 * 5),
        (layers.GlobalMaxPooling2D(), 36 * 3),
        (layers.BatchNormalization(), 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_flops_count_once_for_every_step(layer, flops):
    inputs = keras.Input((STEPS, SIDE, SIDE, 3))
    cost = CostModel(analyse(keras.Model(inputs, over_time(layer)(inputs))))
    assert (cost.cost(CompressionParameters.none()).flops, cost.uncounted) == (STEPS * flops, ())


def test_flops_at_the_size_of_images_that_is_given():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, over_time(layers.Conv1D(4, 3, padding="same", use_bias=False))(inputs))
    cost = CostModel(analyse(model, image_size=(STEPS, SIDE))).cost(CompressionParameters.none())
    assert cost.flops == STEPS * SIDE * 2 * 9 * 4


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (
            layers.EinsumDense("abc,cd->abd", (None, 4)),
            "it touches 'odd' (TimeDistributed of EinsumDense), whose effect on channels is not known",
        ),
        (
            layers.LayerNormalization(name="norm"),
            "'norm' (LayerNormalization) normalizes across channels: see pruning.across_normalization",
        ),
        (layers.Softmax(name="softmax"), "the softmax of 'softmax' mixes channels"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_understood_inside_is_named(layer, reason):
    inputs = keras.Input((STEPS, SIDE, 3))
    x = over_time(layer, name="odd")(layers.Dense(4, name="dense")(inputs))
    assert analyse(keras.Model(inputs, layers.Dense(2)(x))).excluded[0].reason == reason


def test_channels_that_become_steps_are_left_whole():
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Permute((3, 1, 2))(layers.Conv2D(4, 1, name="conv")(inputs))
    graph = analyse(keras.Model(inputs, layers.Flatten()(over_time(layers.Activation("relu"), name="odd")(x))))
    assert graph.excluded[0].reason == "'odd' takes the channels apart as time steps"


def test_every_criterion_scores_the_layers_inside():
    model = randomized(clips())
    assert set(recommend_ratios(model, 0.5).ratios) == {"add", "c"}
    small = prune(model, {"add": 0.5}, PruningSettings(NuclearNorm((images(model),))))
    assert small.get_layer("a").layer.filters == 4
