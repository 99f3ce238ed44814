"""Channels through reshapes: which are coupled, and what the rebuilt model reshapes to."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from compress.graph.analysis import analyse
from tests.compress.fixtures.models import conv, head
from tests.compress.fixtures.oracles import checked_prune


def on_images(build, shape=(4, 6, 3)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, build(inputs))


def test_channel_shuffle_couples_the_channels_of_all_groups():
    def build(x):
        x = layers.Conv2D(12, 1, groups=2, name="a")(conv(x, "stem", 6))
        x = layers.Reshape((4, 6, 2, 6), name="apart")(x)
        x = layers.Reshape((4, 6, 12), name="together")(layers.Permute((1, 2, 4, 3))(x))
        return head(layers.Conv2D(8, 3, groups=2, name="b")(x))

    graph, small = checked_prune(on_images(build), {"a": 0.5, "b": 0.5})
    # Channels 0 to 5 of a's groups are coupled by position, and after the shuffle 0 to 2 with 3 to 5 by b's groups.
    labels = graph.node("a").output[:3]
    np.testing.assert_array_equal(graph.node("a").output, np.tile(labels, 4))
    np.testing.assert_array_equal(graph.node("together").output, np.tile(np.repeat(labels, 2), 2))
    assert [block.size for block in graph.group("a").subgroups] == [3]
    assert small.get_layer("apart").target_shape == (4, 6, 2, 4)
    assert small.get_layer("together").target_shape == (4, 6, 8)


def test_units_become_the_channels_of_an_image():
    def build(x):
        x = layers.Dense(4 * 5 * 6, name="units")(layers.Flatten()(x))
        return head(conv(layers.Reshape((4, 5, 6), name="image")(x), "b", 3))

    graph, small = checked_prune(on_images(build), {"units": 0.5})
    assert [block.size for block in graph.group("units").subgroups] == [6]
    assert small.get_layer("units").units == 4 * 5 * 3
    assert small.get_layer("image").target_shape == (4, 5, 3)


def test_shared_reshapes_keep_the_same_channels():
    inputs = keras.Input((4, 6, 3))
    reshape = layers.Reshape((24, 8), name="reshape")
    x = layers.Concatenate()([reshape(conv(inputs, "a", 8)), reshape(conv(inputs, "b", 8))])
    graph, small = checked_prune(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))), {"a": 0.5})
    assert [sorted(group.layers) for group in graph.groups] == [["a", "b"]]
    assert small.get_layer("reshape").target_shape == (24, 4)


def shared_reshape(target, shapes, after=layers.Flatten):
    """One reshape of 8 channels that are made at several sizes."""
    reshape = layers.Reshape(target, name="reshape")
    inputs = [keras.Input((*shape, 3)) for shape in shapes]
    made = [reshape(layers.Conv2D(8, 1, name=f"c{place}")(x)) for place, x in enumerate(inputs)]
    return keras.Model(inputs, [layers.Dense(2, name=f"end{i}")(after()(x)) for i, x in enumerate(made)])


@pytest.mark.parametrize(
    ("target", "pruned"),
    [((-1, 8), (-1, 4)), ((-1, 2, 8), (-1, 2, 4)), ((2, -1, 8), (2, -1, 4)), ((-1, 16), (-1, 8)), ((-1, 4), (-1, 2))],
)
def test_reshapes_shared_by_tensors_of_several_sizes(target, pruned):
    graph, small = checked_prune(shared_reshape(target, [(8, 8), (4, 4), (2, 6)]), {"c0": 0.5})
    assert [sorted(group.layers) for group in graph.groups] == [["c0", "c1", "c2"]]
    assert small.get_layer("reshape").target_shape == pruned


def test_reshapes_that_give_several_widths_are_left_whole():
    graph, _ = checked_prune(shared_reshape((4, -1), [(8, 8), (4, 4)]), {})
    assert not graph.groups
    reasons = {item.name: item.reason for item in graph.excluded}
    assert reasons["c0"] == "'reshape' (Reshape) is shared by tensors of different widths"


def test_reshapes_within_models_of_open_size():
    inner = keras.Input((None, None, 3), batch_size=3)
    base = keras.Model(inner, ops.reshape(conv(inner, "a", 8), (3, -1, 8)))
    inputs = [keras.Input((*shape, 3), batch_size=3) for shape in ((4, 4), (6, 6))]
    ends = [layers.Dense(2, name=f"end{i}")(layers.GlobalAveragePooling1D()(base(x))) for i, x in enumerate(inputs)]
    _, small = checked_prune(keras.Model(inputs, ends), {"a": 0.5})
    assert small.get_layer("a").filters == 4


@pytest.mark.parametrize("target", [(24, 8), (6, 4, 8), (2, 12, 8), (192,), (4, 48), (-1, 8)])
def test_elements_stay_in_order(target):
    graph, _ = checked_prune(
        on_images(lambda x: layers.Dense(3)(layers.Flatten()(layers.Reshape(target)(conv(x, "a", 8)))))
    )
    assert [block.size for block in graph.group("a").subgroups] == [8]


def test_no_fixed_size():
    model = on_images(lambda x: head(ops.reshape(conv(x, "a", 8), (-1, 3, 5, 8))), (None, None, 3))
    reasons = {item.name: item.reason for item in analyse(model).excluded}
    assert "reshapes a tensor of no fixed size (None, None, None, 8)" in reasons["a"]


def test_permutations_move_the_axis_of_the_channels():
    graph = analyse(
        on_images(lambda x: head(layers.Permute((2, 3, 1))(layers.Permute((3, 1, 2), name="p")(conv(x, "a", 8)))))
    )
    assert graph.node("p").axes == (1,)
    assert [group.name for group in graph.groups] == ["a"]
