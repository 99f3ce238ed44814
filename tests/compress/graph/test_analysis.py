import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelCounts
from tests.compress.fixtures import models, published
from tests.zoo.originals import analysed


def groups(model):
    """Name, layers and subgroup sizes of every group; sorted, because Keras orders parallel branches as it likes."""
    return [
        (group.name, tuple(sorted(group.layers)), sorted(subgroup.size for subgroup in group.subgroups))
        for group in analyse(model).groups
    ]


def excluded(model):
    return {exclusion.name: exclusion.reason for exclusion in analyse(model).excluded}


OUTPUT = {"linear": "it is an output of the model"}


def test_chain():
    assert groups(models.chain()) == [("conv1", ("conv1",), [8]), ("conv2", ("conv2",), [6])]
    assert excluded(models.chain()) == OUTPUT


def test_residual_groups_are_named_after_their_last_merge():
    assert groups(models.residual()) == [
        ("conv1", ("conv1",), [8]),
        ("b0.conv1", ("b0.conv1",), [5]),
        ("b1.conv1", ("b1.conv1",), [7]),
        ("add_1", ("b0.conv2", "b0.shortcut", "b1.conv2"), [8]),
    ]


@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_channels_follow_their_producer(multiplier):
    model = models.depthwise(multiplier)
    assert groups(model) == [("conv1", ("conv1",), [6]), ("pointwise", ("pointwise",), [5])]
    node = analyse(model).node("depthwise")
    np.testing.assert_array_equal(node.output, np.repeat(node.inputs[0], multiplier))


def test_concatenation_keeps_producers_apart():
    assert groups(models.dense_blocks()) == [
        ("conv1", ("conv1",), [6]),
        ("conv2", ("conv2",), [4]),
        ("conv3", ("conv3",), [4]),
        ("transition", ("transition",), [5]),
    ]


def test_partial_merge_makes_blocks():
    assert groups(models.partial_merge()) == [("add", ("a", "b", "c"), [4, 6]), ("last", ("last",), [5])]


def test_blocks_of_a_partial_merge_that_nothing_else_reads():
    inputs = keras.Input((6, 6, 3))
    a, b, c = (models.conv(inputs, name, width) for name, width in (("a", 4), ("b", 6), ("c", 10)))
    merged = layers.Add(name="add")([layers.Concatenate()([a, b]), c])
    assert groups(keras.Model(inputs, models.head(merged))) == [("add", ("a", "b", "c"), [4, 6])]


def test_blocks_hold_channels_that_occur_equally_often():
    # Add(Concat(c, d), Concat(e, e, e)) couples c0, c2 and d1 with e0, and c1, d0 and d2 with e1: to keep one label of
    # the two keeps two channels of c and one of d, or the reverse.
    inputs = keras.Input((6, 6, 3))
    c, d, e = (models.conv(inputs, name, width) for name, width in (("c", 3), ("d", 3), ("e", 2)))
    merged = layers.Add(name="add")([layers.Concatenate()([c, d]), layers.Concatenate()([e, e, e])])
    assert groups(keras.Model(inputs, models.head(merged))) == [("add", ("c", "d", "e"), [1, 1])]


def test_a_merge_of_two_groups_names_neither():
    result = groups(models.crossed_merge())
    assert sorted((layers, sizes) for _, layers, sizes in result) == [(("a", "c"), [4]), (("b", "d"), [6])]
    assert all(name in layers for name, layers, _ in result)


def test_flatten_repeats_channels_by_position():
    model = models.flatten()
    assert groups(model) == [("conv1", ("conv1",), [6]), ("hidden", ("hidden",), [8]), ("hidden2", ("hidden2",), [7])]
    graph = analyse(model)
    np.testing.assert_array_equal(graph.node("hidden").inputs[0], list(graph.node("conv1").output) * (3 * 2))


def test_gates():
    assert groups(models.squeeze_excite()) == [
        ("squeeze", ("squeeze",), [4]),
        ("multiply", ("conv1", "excite"), [8]),
    ]
    assert groups(models.one_channel_gate()) == [("conv1", ("conv1",), [8])]
    assert excluded(models.one_channel_gate())["gate"] == "'multiply' broadcasts it over 8 channels"


def test_shared_layers_couple_their_calls():
    result = groups(models.shared())
    assert result == [("twice", ("conv1", "twice"), [8]), ("other", ("other",), [5])]


def test_several_inputs_and_outputs():
    model = models.several_ends()
    assert groups(model) == [("add", ("a", "b"), [6]), ("c", ("c",), [5])]
    assert excluded(model) == {name: "it is an output of the model" for name in ("features", "logits")}


def test_sequential():
    assert groups(models.sequential()) == [("conv1", ("conv1",), [8]), ("hidden", ("hidden",), [6])]


@keras.saving.register_keras_serializable("tests")
def centre(x):
    return x - keras.ops.mean(x, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable("tests")
def halve(x):
    return keras.ops.clip(x / 2, 0.0, 3.0) * keras.ops.sigmoid(x)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (layers.Activation("softmax", name="odd"), "the softmax of 'odd' mixes channels"),
        (
            layers.Activation(centre, name="odd"),
            "the activation centre of 'odd' is not one of Keras's, and may mix channels",
        ),
        (layers.BatchNormalization(axis=1, name="odd"), "'odd' normalizes axis 1, not the channels"),
        (
            models.Doubling(name="odd"),
            "it touches 'odd' (Doubling), whose effect on channels is not known: its call does not run on symbolic "
            "tensors (ValueError: A KerasTensor cannot be used as input to a TensorFlow function)",
        ),
        (
            layers.LayerNormalization(name="odd"),
            "'odd' (LayerNormalization) normalizes across channels: see pruning.across_normalization",
        ),
        (
            layers.RMSNormalization(name="odd"),
            "'odd' (RMSNormalization) normalizes across channels: see pruning.across_normalization",
        ),
        (
            layers.GroupNormalization(1, name="odd"),
            "'odd' (GroupNormalization) normalizes across channels: see pruning.across_normalization",
        ),
        (
            layers.Dropout(0.5, noise_shape=(None, 1, 1, 8), name="odd"),
            "'odd' (Dropout) has a noise_shape with the number of channels",
        ),
        (layers.Softmax(name="odd"), "the softmax of 'odd' mixes channels"),
        (layers.PReLU(shared_axes=[1, 2, 3], name="odd"), "'odd' (PReLU) shares its slopes between channels"),
        (
            layers.Permute((3, 1, 2), name="odd"),
            "'after' (Conv2D) reads it with its channels not along the last axis",
        ),
        (
            layers.MaxPooling2D(2, data_format="channels_first", name="odd"),
            "'odd' uses data_format='channels_first'; only 'channels_last' is supported",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_understood_is_left_whole(layer, reason):
    model = models.with_layer(layer)
    assert [name for name, *_ in groups(model)] == ["after", "last"]
    assert excluded(model)["before"] == reason


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", keras.ops.silu, halve, layers.LeakyReLU(0.1), None])
def test_elementwise_activations_are_prunable(activation):
    model = models.with_layer(layers.Conv2D(8, 3, activation=activation, name="middle"))
    assert [name for name, *_ in groups(model)] == ["before", "middle", "after", "last"]


@pytest.mark.parametrize("activation", ["softmax", centre, layers.Softmax()])
def test_other_activations_freeze_their_own_layer_only(activation):
    model = models.with_layer(layers.Conv2D(8, 3, activation=activation, name="middle"))
    assert [name for name, *_ in groups(model)] == ["before", "after", "last"]


def test_nested_models_and_operations_are_read():
    assert [name for name, *_ in groups(models.nested_model())] == ["before", "inner.conv", "after", "last"]
    assert [name for name, *_ in groups(models.arithmetic())] == ["before", "after", "last"]


def test_convolutions_in_channels_first_are_left_whole():
    x = inputs = keras.Input((3, 8, 8))
    for name in ("conv1", "conv2"):
        x = layers.Conv2D(6, 3, data_format="channels_first", name=name)(x)
    graph = analyse(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    reason = "'conv1' uses data_format='channels_first'; only 'channels_last' is supported"
    assert {item.name: item.reason for item in graph.excluded}["conv1"] == reason
    assert not graph.groups and not graph.decomposable


def test_flattening_an_unknown_size_freezes():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.Flatten(name="flatten")(models.conv(inputs, "conv1", 4)))
    assert "reshapes a tensor of no fixed size (None, None, None, 4)" in excluded(model)["conv1"]


def test_a_single_channel_stays():
    inputs = keras.Input((6, 6, 3))
    assert excluded(keras.Model(inputs, models.head(models.conv(inputs, "one", 1))))["one"] == "it has a single channel"


def test_resnet50_is_grouped_as_published():
    graph = analysed("resnet50")
    assert [group.name for group in graph.groups] == list(published.ratios())
    assert set(published.ranks()) <= {layer.layer for layer in graph.decomposable}
    members = {"layer2.0.shortcut.0", *(f"layer2.{index}.conv3" for index in range(4))}
    assert set(graph.group("add_6").layers) == members


def test_decomposable_convolutions():
    graph = analyse(models.residual())
    assert {(layer.layer, layer.in_channels, layer.out_channels) for layer in graph.decomposable} == {
        ("b0.conv1", 8, 5),
        ("b0.conv2", 5, 8),
        ("b0.shortcut", 8, 8),
        ("b1.conv1", 8, 7),
        ("b1.conv2", 7, 8),
    }
    assert {item.name: item.reason for item in graph.undecomposable} == {
        "conv1": "it reads the model's input, of only 3 channels"
    }


def test_undecomposable_convolutions():
    grouped = analyse(models.with_layer(layers.Conv2D(8, 3, groups=2, name="odd"))).undecomposable
    assert {item.name: item.reason for item in grouped}["odd"] == "it is a grouped convolution (groups=2)"
    reasons = {item.name: item.reason for item in analyse(models.depthwise(1)).undecomposable}
    assert reasons["depthwise"] == "a depthwise convolution does not mix channels"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("conv11", "unknown layer or group 'conv11'; nearest: 'conv1'"),
        ("zzz", "unknown layer or group 'zzz'; the model has 7 others"),
        ("b0.conv2", "layer 'b0.conv2' cannot be pruned alone: it belongs to the group 'add_1'; use that name"),
        ("add", "layer 'add' (Add) has no filters of its own to prune"),
        ("linear", "layer 'linear' cannot be pruned: it is an output of the model"),
    ],
)
def test_no_such_group(name, message):
    graph = analyse(models.residual())
    for ask in (graph.group, lambda n: ChannelCounts.of(graph).kept_subgroups({n: 0.5})):
        with pytest.raises(ParameterError) as caught:
            ask(name)
        assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("b0.conv22", "unknown convolution 'b0.conv22'; nearest: 'b0.conv2'"),
        ("conv1", "layer 'conv1' cannot be decomposed: it reads the model's input, of only 3 channels"),
        ("linear", "layer 'linear' (Dense) is not a convolution; ranks apply to Conv2D"),
    ],
)
def test_no_such_convolution(name, message):
    with pytest.raises(ParameterError) as caught:
        analyse(models.residual()).convolution(name)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
