"""Layers by type: what is pruned, and that the result computes what it must."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from compress.pruning.pruning import prune
from tests.compress.fixtures import models
from tests.compress.fixtures.models import conv, head
from tests.compress.fixtures.oracles import checked_prune


def model_of(build, shape=(6, 6, 3)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, build(inputs))


def on_images(layer, channels=8):
    """A layer between a convolution and a head."""
    return model_of(lambda x: head(layer(conv(x, "before", channels))))


def names(graph):
    return [group.name for group in graph.groups]


@pytest.mark.parametrize(
    ("layer", "left"),
    [
        (layers.SeparableConv2D(6, 3, padding="same", name="it"), 3),
        (layers.SeparableConv2D(6, 3, strides=2, depth_multiplier=2, use_bias=False, name="it"), 3),
        (layers.Conv2DTranspose(6, 3, strides=2, padding="same", name="it"), 3),
        (layers.Conv2DTranspose(6, 3, use_bias=False, name="it"), 3),
        (layers.Conv2D(6, 3, groups=2, name="it"), 4),  # of 3 filters in each group 2 stay
        (layers.Conv2D(12, 3, groups=4, padding="same", activation="relu", name="it"), 8),
        (layers.Dense(6, activation="relu", name="it"), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_that_make_channels(layer, left):
    graph, small = checked_prune(on_images(layer), {"before": 0.5, "it": 0.5})
    assert names(graph) == ["before", "it"]
    assert (small.get_layer("before").filters, small.get_layer("it").output.shape[-1]) == (4, left)


@pytest.mark.parametrize(
    "layer",
    [
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.BatchNormalization(),
        layers.PReLU(),
        layers.PReLU(shared_axes=[1, 2]),
        layers.LayerNormalization(axis=[1, 2]),
        layers.UnitNormalization(),
        layers.Normalization(),
        layers.Normalization(mean=np.arange(8.0), variance=np.arange(1.0, 9.0)),
        layers.Normalization(mean=0.5, variance=2.0),
        layers.Rescaling(np.arange(8.0), offset=np.arange(8.0)),
        layers.Rescaling(1 / 255),
        layers.GroupNormalization(-1),
        layers.ReLU(6.0, 0.1, 0.2),
        layers.Softmax(axis=1),
        layers.SpatialDropout2D(0.5),
        layers.Dropout(0.5, noise_shape=(None, 6, 6, 1)),
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.Resizing(4, 4),
        layers.CenterCrop(4, 4),
        layers.UpSampling2D(interpolation="bilinear"),
        layers.MaxPooling2D(2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_keep_channels(layer):
    graph, small = checked_prune(on_images(layer), {"before": 0.5})
    assert names(graph) == ["before"]
    assert small.get_layer("before").filters == 4


def test_grouped_convolutions_keep_as_many_channels_in_every_group():
    # 8 input channels and 12 filters in 4 groups: 2 and 3 channels may go, in every group the same.
    graph, small = checked_prune(on_images(layers.Conv2D(12, 3, groups=4, name="it")), {"before": 0.5, "it": 0.5})
    assert [block.size for group in graph.groups for block in group.subgroups] == [2, 3]
    assert small.get_layer("it").groups == 4
    assert small.get_layer("it").kernel.shape == (3, 3, 1, 8)


def test_a_grouped_convolution_of_single_channels_is_a_depthwise_one():
    graph, small = checked_prune(on_images(layers.Conv2D(16, 3, groups=8, name="it")), {"before": 0.5})
    assert names(graph) == ["before"]
    layer = small.get_layer("it")
    assert (layer.groups, layer.filters, layer.kernel.shape) == (4, 8, (3, 3, 1, 8))


def test_a_depthwise_convolution_of_volumes_is_one_of_groups():
    def build(x):
        x = layers.Conv3D(8, 2, groups=4, name="it")(layers.Conv3D(4, 1, name="before")(x))
        return layers.Dense(2)(layers.GlobalAveragePooling3D()(x))

    graph, small = checked_prune(model_of(build, (3, 3, 3, 2)), {"before": 0.5})
    assert names(graph) == ["before"]
    assert (small.get_layer("it").groups, small.get_layer("it").kernel.shape) == (2, (2, 2, 2, 1, 4))


def test_group_normalization_loses_whole_groups():
    graph, small = checked_prune(on_images(layers.GroupNormalization(4, name="it")), {"before": 0.5})
    assert [block.size for group in graph.groups for block in group.subgroups] == [4]
    assert (small.get_layer("it").groups, small.get_layer("before").filters) == (2, 4)


def test_layers_that_applications_define_for_themselves():
    def build(x):
        left, right = conv(x, "a", 8), conv(x, "b", 8)
        x = CustomScaleLayer(0.3, name="residual")(
            [left, StochasticDepth(0.2)(LayerScale(0.5, 8, name="scale")(right))]
        )
        return head(x)

    graph, small = checked_prune(model_of(build), {"residual": 0.5})
    assert names(graph) == ["residual"]
    assert small.get_layer("scale").gamma.shape == (4,)


def test_sequences():
    def build(x):
        x = layers.Conv1D(8, 3, padding="causal", name="a")(x)
        x = layers.GroupNormalization(4)(layers.DepthwiseConv1D(3)(x))
        x = layers.SeparableConv1D(6, 3, name="b")(layers.ZeroPadding1D(2)(layers.MaxPooling1D()(x)))
        x = layers.Conv1DTranspose(5, 2, strides=2, name="c")(layers.SpatialDropout1D(0.2)(x))
        x = layers.Concatenate()([layers.GlobalMaxPooling1D()(x), layers.GlobalAveragePooling1D()(x)])
        return layers.Dense(2)(layers.Flatten()(layers.RepeatVector(3)(x)))

    graph, _ = checked_prune(model_of(build, (12, 4)))
    assert names(graph) == ["a", "b", "c"]


def test_volumes():
    def build(x):
        x = layers.Conv3D(8, 3, padding="same", name="a")(x)
        x = layers.BatchNormalization()(layers.MaxPooling3D()(x))
        x = layers.Conv3DTranspose(6, 2, strides=2, name="b")(layers.Cropping3D(1)(layers.ZeroPadding3D(1)(x)))
        return layers.Dense(2)(layers.GlobalAveragePooling3D()(layers.UpSampling3D()(x)))

    graph, _ = checked_prune(model_of(build, (4, 4, 4, 2)))
    assert names(graph) == ["a", "b"]


def test_a_decoder_of_no_fixed_size():
    def build(x):
        skip = models.block(x, "a", 6)
        x = models.block(layers.MaxPooling2D()(skip), "b", 8)
        x = layers.Conv2DTranspose(6, 2, strides=2, name="up")(x)
        x = layers.Concatenate()([layers.Permute((2, 1, 3))(skip), x])
        return conv(models.block(x, "c", 5), "out", 2, 1)

    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    graph, small = checked_prune(model_of(build, (None, None, 3)), x=images)
    assert names(graph) == ["a", "b", "up", "c"]
    assert small.inputs[0].shape == (None, None, None, 3)


def test_options_survive():
    layer = layers.Conv2D(
        6,
        3,
        dilation_rate=2,
        padding="same",
        kernel_constraint=keras.constraints.MaxNorm(2.0),
        kernel_regularizer=keras.regularizers.L2(0.1),
        dtype="float64",
        name="it",
    )
    _, small = checked_prune(on_images(layer), {"it": 0.5})
    made = small.get_layer("it")
    assert (made.dilation_rate, made.dtype, made.filters) == ((2, 2), "float64", 3)
    assert made.kernel_constraint.max_value == 2.0
    assert float(made.kernel_regularizer.l2) == pytest.approx(0.1)


def test_names_and_order_of_inputs_and_outputs_stay():
    _, small = checked_prune(models.several_ends())
    assert [tensor.name for tensor in small.inputs] == ["first", "second"]
    assert [tensor.shape for tensor in small.outputs] == [(None, 6, 6, 4), (None, 2)]


def test_inputs_and_outputs_by_name():
    inputs = {name: keras.Input((4, 4, 3), name=name) for name in ("left", "right")}
    x = layers.Add(name="add")([conv(inputs["left"], "a", 6), conv(inputs["right"], "b", 6)])
    small = prune(keras.Model(inputs, {"logits": head(x), "mean": keras.ops.mean(x, axis=(1, 2))}), {})
    assert list(small.input) == ["left", "right"] and set(small.output) == {"logits", "mean"}


def test_layers_that_are_not_understood_leave_the_rest_alone():
    def build(x):
        x = conv(x, "frozen", 8)
        x = layers.LSTM(6, return_sequences=True, name="lstm")(layers.Reshape((36, 8))(x))
        x = layers.Conv1D(7, 3, name="free")(x)
        return layers.Dense(2)(layers.GlobalAveragePooling1D()(layers.Lambda(tf.tanh)(layers.ReLU()(x))))

    graph, _ = checked_prune(model_of(build))
    reasons = {item.name: item.reason for item in graph.excluded}
    assert names(graph) == []
    assert reasons["frozen"] == "it touches 'lstm' (LSTM), whose effect on channels is not known"
    assert "(Lambda), whose effect on channels is not known" in reasons["free"]


def test_shared_layers_without_weights_couple_nothing():
    relu, flatten = layers.ReLU(), layers.Flatten()

    def build(x):
        left, right = (flatten(relu(conv(x, name, width))) for name, width in (("a", 5), ("b", 7)))
        return layers.Dense(2)(layers.Concatenate()([left, right]))

    graph, _ = checked_prune(model_of(build))
    assert sorted(names(graph)) == ["a", "b"]


def test_shared_layers_made_for_a_number_of_channels():
    shared = layers.Reshape((-1, 4), name="shared")

    def build(x):
        left, right = (layers.Flatten()(shared(conv(x, name, width))) for name, width in (("a", 8), ("b", 4)))
        return layers.Dense(2)(layers.Concatenate()([left, right]))

    graph, _ = checked_prune(model_of(build))
    reasons = {item.name: item.reason for item in graph.excluded}
    assert reasons["a"] == reasons["b"] == "'shared' (Reshape) is shared by tensors of different widths"


def test_a_shared_layer_that_does_not_fit_at_one_of_its_calls_is_left_whole_at_all():
    inputs = keras.Input((6, 6, 4))
    shared = layers.Conv2D(6, 1, name="shared")
    x = layers.Permute((3, 1, 2))(shared(conv(inputs, "a", 6)))
    y = layers.Conv2D(6, 1, name="b")(layers.ZeroPadding2D(((0, 0), (0, 0)))(inputs))
    graph, _ = checked_prune(keras.Model(inputs, [head(shared(y)), layers.Flatten()(conv(shared(x), "c", 2))]))
    reason = "'shared' (Conv2D) reads it with its channels not along the last axis"
    assert {item.name: item.reason for item in graph.excluded}["shared"] == reason
