"""Steps of random graphs: every kind of layer, merge and operation that the analysis reads."""

import keras
import numpy as np
from keras import layers, ops

from tests.compress.fixtures.composites import Classifier, ConvBlock, Gate, HoldsModels, Pyramid, Stage
from tests.compress.fixtures.models import Doubling
from tests.compress.fixtures.user_layers import Affine, LayerScale, Scaled
from tests.compress.graph.random_graph import SIDE


def convolution(graph, x):
    stride = graph.some(1, 2) if x.shape[1] > 2 else 1
    return graph.conv(x, size=graph.some(1, 3), strides=stride, use_bias=graph.some(True, False))


def activated(graph, x):
    return graph.conv(
        x,
        x.shape[-1],
        activation=graph.some("relu", "gelu", "tanh", layers.LeakyReLU(0.1), *(["softmax"] * (x.shape[-1] > 1))),
    )


def dilated(graph, x):
    return graph.conv(x, size=3, dilation_rate=2, kernel_constraint="max_norm", kernel_regularizer="l2")


def grouped(graph, x):
    return graph.conv(graph.conv(x, 4), graph.some(4, 8), 3, groups=graph.some(2, 4))


def depthwise(graph, x):
    return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=graph.some(1, 2))(x)


def separable(graph, x):
    return layers.SeparableConv2D(graph.width(), 3, padding="same", depth_multiplier=graph.some(1, 2))(x)


def transposed(graph, x):
    up = graph.some(1, 2) if x.shape[1] <= 2 else 1
    return layers.Conv2DTranspose(graph.width(), 3, strides=up, padding="same", use_bias=graph.some(True, False))(x)


def dense(graph, x):
    return layers.Dense(graph.width(), activation=graph.some("relu", None))(x)


def normalized(graph, x):
    return graph.some(
        layers.BatchNormalization(scale=graph.some(True, False)),
        layers.BatchNormalization(axis=graph.some(1, -1)),
        layers.LayerNormalization(axis=graph.some(-1, [1, 2], [1, 2, 3]), scale=graph.some(True, False)),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.Rescaling(0.5, 1.0),
        layers.Normalization(),
    )(x)


def group_normalized(graph, x):
    return layers.GroupNormalization(graph.some(1, 2, 3, -1))(graph.conv(x, 6))


def pointwise(graph, x):
    return graph.some(
        layers.ReLU(),
        layers.PReLU(shared_axes=graph.some(None, [1, 2])),
        layers.Activation("sigmoid"),
        layers.Softmax(axis=-1 if x.shape[-1] > 1 else 0),
        layers.Dropout(0.3),
        layers.SpatialDropout2D(0.3),
        layers.GaussianNoise(0.1),
        Scaled(),
        Doubling(),
        LayerScale(0.5),
        Affine(x.shape[-1]),
        layers.Lambda(lambda y: y * ops.sigmoid(y)),
    )(x)


def resized(graph, x):
    if x.shape[1] < 2:
        return layers.UpSampling2D(2, interpolation=graph.some("nearest", "bilinear"))(x)
    return graph.some(
        layers.MaxPooling2D(2, padding="same"),
        layers.AveragePooling2D(2, padding="same"),
        layers.Cropping2D(((1, 0), (0, 1))),
        lambda y: layers.ZeroPadding2D(((1, 0), (0, 1)))(layers.Cropping2D(((0, 1), (1, 0)))(y)),
        lambda y: ops.pad(y, ((0, 0), (1, 0), (0, 1), (0, 0)), mode="reflect")[:, 1:, :-1],
        lambda y: ops.image.resize(y, (2, 2)),
        layers.RandomFlip(seed=1),
    )(x)


def merged(graph, x):
    kind = graph.some(layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
    return kind()([x, graph.alike(x, channels=True)])


def concatenated(graph, x):
    return layers.Concatenate()([x, graph.alike(x, channels=False)])


def stacked(graph, x):
    """Two halves beside each other in coupling."""
    return layers.Concatenate(axis=1)([x, graph.alike(x, channels=True)])


def gated(graph, x):
    """Squeeze and excite, the gate made on positions, on vectors or broadcast from one channel."""
    width = x.shape[-1]
    if graph.some(True, False):
        return layers.Multiply()([x, graph.conv(x, 1, activation="sigmoid")])
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Dense(width, activation="sigmoid")(layers.Dense(graph.width(), activation="relu")(gate))
    return layers.Multiply()([x, layers.Reshape((1, 1, width))(gate)])


def shared(graph, x):
    layer = graph.shared("conv", lambda: layers.Conv2D(3, 1))
    return graph.shared("bn", layers.BatchNormalization)(layer(graph.conv(x, 3)))


def nested(graph, x):
    inner = graph.shared("model", inner_model)
    return inner(graph.conv(x, 3)) if x.shape[1:3] == (SIDE, SIDE) else None


def inner_model():
    x = inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.BatchNormalization()(layers.Conv2D(5, 3, padding="same")(x))
    return keras.Model(inputs, layers.Conv2D(4, 1)(keras.Sequential([layers.ReLU(), layers.Conv2D(3, 1)])(x)))


def composite(graph, x):
    """Layers that hold others, alone or in each other, called once or often, or with several tensors."""
    width = graph.width()
    return graph.some(
        lambda: ConvBlock(width)(x),
        lambda: Stage(width)(x),
        lambda: HoldsModels(width, x.shape[-1])(x),
        lambda: Gate()(x),
        lambda: list(Pyramid(width)({"p1": layers.UpSampling2D(2)(x), "p2": x}).values())[1:],
        lambda: graph.shared("block", lambda: ConvBlock(3))(graph.conv(x, 3)),
        lambda: graph.shared("stage", lambda: Stage(2))(graph.conv(x, 4)),
        lambda: layers.Reshape((1, 1, 3))(Classifier(width)(x)) * x if x.shape[-1] == 3 else None,
    )()


def arithmetic(graph, x):
    other = graph.alike(x, channels=True)
    constant = np.linspace(0.5, 1.5, x.shape[-1]).astype(np.float32)
    return graph.some(
        lambda: 2.0 * x - other,
        lambda: x * constant + 1.0,
        lambda: ops.maximum(x, other) / 2.0,
        lambda: ops.where(x > 0, x, other),
        lambda: ops.relu(x) * ops.mean(x, axis=(1, 2), keepdims=True),
        lambda: x + ops.sum(x, axis=-1, keepdims=True),
        lambda: x * ops.sigmoid(ops.max(x, axis=-1, keepdims=True)),
        lambda: ops.exp(-ops.square(ops.clip(x, -1.0, 1.0))),
    )()


def moved(graph, x):
    """Elements move, and move back."""
    height, width, channels = x.shape[1:]
    return graph.some(
        lambda: layers.Permute((2, 1, 3))(x),
        lambda: layers.Permute((2, 3, 1))(ops.relu(layers.Permute((3, 1, 2))(x))),
        lambda: ops.transpose(ops.transpose(x, (0, 3, 1, 2)), (0, 2, 3, 1)),
        lambda: layers.Reshape((height, width, channels))(layers.Reshape((height * width, channels))(x)),
        lambda: ops.squeeze(ops.expand_dims(x, 1), 1),
        lambda: ops.moveaxis(ops.swapaxes(x, 1, 3), 3, 1) if height == channels else None,
        lambda: layers.Permute((3, 1, 2))(x),
        lambda: ops.flip(x, axis=graph.some(1, 3)),
        lambda: ops.repeat(x, 2, axis=3) if channels < 4 else None,
        lambda: ops.roll(x, 1, axis=graph.some(2, 3)),
    )()


def sliced(graph, x):
    channels = x.shape[-1]
    if channels < 2:
        return x[:, : x.shape[1] - 1] if x.shape[1] > 1 else None
    cut = graph.any_of(range(1, channels))
    return graph.some(
        lambda: x[..., :cut],
        lambda: x[..., cut:],
        lambda: x[:, :, :, -1:],
        lambda: x[..., ::2],
        lambda: list(ops.split(x, [cut], axis=-1)),
        lambda: list(ops.split(x, 2, axis=-1)) if channels % 2 == 0 else None,
        lambda: ops.stack([x, graph.alike(x, channels=True)], axis=1)[:, 0],
    )()


def shuffled(graph, x):
    """The channel shuffle of ShuffleNet."""
    height, width, _ = x.shape[1:]
    x = layers.Reshape((height, width, 2, 3))(graph.conv(x, 6))
    return layers.Reshape((height, width, 6))(layers.Permute((1, 2, 4, 3))(x))


def decoded(graph, x):
    """A dense layer whose units become an image."""
    vector = layers.Dense(SIDE * SIDE * 2)(layers.Flatten()(x))
    return layers.Reshape((SIDE, SIDE, 2))(vector)


def as_sequence(graph, x):
    """Convolutions over the positions of an image in a row."""
    height, width, channels = x.shape[1:]
    filters = graph.width()
    y = layers.Reshape((height * width, channels))(x)
    y = graph.some(
        layers.Conv1D(filters, 3, padding="causal"),
        layers.SeparableConv1D(filters, 3, padding="same"),
        layers.Conv1DTranspose(filters, 3, padding="same"),
        layers.DepthwiseConv1D(3, padding="same"),
    )(y)
    return layers.Reshape((height, width, y.shape[-1]))(y)


def over_time(graph, x):
    """The rows of an image as time steps."""
    return layers.TimeDistributed(
        graph.some(
            layers.Conv1D(graph.width(), 3, padding="same", activation=graph.some("relu", None)),
            layers.DepthwiseConv1D(3, padding="same"),
            layers.BatchNormalization(),
            layers.Dense(graph.width(), use_bias=graph.some(True, False)),
            layers.MaxPooling1D(2, padding="same"),
            LayerScale(0.5),
        )
    )(x)


def as_volume(graph, x):
    """Convolutions over an image of depth one."""
    y = layers.Reshape((1, *x.shape[1:]))(x)
    kind = graph.some(layers.Conv3D, layers.Conv3DTranspose)
    return ops.squeeze(kind(graph.width(), 3, padding="same")(y), 1)


STEPS = (
    *(convolution, activated, dilated, grouped, depthwise, separable, transposed, dense, normalized),
    *(group_normalized, pointwise, resized, merged, merged, concatenated, concatenated, stacked, gated, shared),
    *(nested, composite, composite, arithmetic, moved, sliced, shuffled, decoded, as_sequence, over_time, as_volume),
)
