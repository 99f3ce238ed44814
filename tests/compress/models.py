"""Small models, one for each way in which channels may flow, with random weights and statistics."""

import keras
import numpy as np
from keras import layers


class Doubling(keras.layers.Layer):
    """A layer of a type that the analysis does not know."""

    def call(self, inputs):
        return 2.0 * inputs


class Scaled(keras.layers.Layer):
    """A user's layer that declares that it keeps channels apart."""

    keeps_channels = True

    def call(self, inputs):
        return 2.0 * inputs + 1.0


class Weighted(keras.layers.Layer):
    """Declares so, too, but has weights, of which nothing is known."""

    keeps_channels = True

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, inputs):
        return inputs * self.factor


def randomized(model, seed=0):
    """Set every weight of a model to a random, non-default value that keeps activations near one; returns it."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if "variance" in variable.path:
            value = rng.uniform(0.5, 2.0, shape)
        elif "gamma" in variable.path:
            value = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
        elif len(shape) > 1:
            value = rng.normal(0, 1.5 / np.sqrt(np.prod(shape[:-1])), shape)
        else:
            value = rng.normal(0, 0.5, shape)
        variable.assign(value)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def images(model, seed=1, count=3):
    """Random inputs of a model, as one array or, for several inputs, a list."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(count, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def outputs(model, x):
    """Outputs of a model in inference mode, as a list of arrays."""
    found = model(x, training=False)
    return [np.asarray(value) for value in (found if isinstance(found, list | tuple) else [found])]


def conv(x, name, filters, size=3, **options):
    return layers.Conv2D(filters, size, **{"padding": "same", "name": name, **options})(x)


def block(x, name, filters, size=3, **options):
    """Convolution, batch normalization and ReLU."""
    x = layers.BatchNormalization(name=f"{name}.bn")(conv(x, name, filters, size, **options))
    return layers.ReLU(name=f"{name}.relu")(x)


def head(x, classes=3):
    return layers.Dense(classes, name="linear")(layers.GlobalAveragePooling2D(name="avgpool")(x))


def chain():
    x = inputs = keras.Input((8, 8, 3))
    x = block(x, "conv1", 8)
    x = layers.MaxPooling2D()(layers.Dropout(0.3)(x))
    x = conv(x, "conv2", 6, strides=2, activation="relu")
    return keras.Model(inputs, head(x))


def residual():
    """A projection, then an identity: conv1, b0.conv2, b0.shortcut and b1.conv2 make the same channels."""
    inputs = keras.Input((8, 8, 3))
    x = block(inputs, "conv1", 8)
    y = conv(block(x, "b0.conv1", 5), "b0.conv2", 8)
    y = layers.BatchNormalization(name="b0.bn2")(y)
    x = layers.ReLU()(layers.Add(name="add")([y, conv(x, "b0.shortcut", 8, 1)]))
    y = layers.BatchNormalization(name="b1.bn2")(conv(block(x, "b1.conv1", 7), "b1.conv2", 8, use_bias=False))
    x = layers.ReLU()(layers.Add(name="add_1")([x, y]))
    return keras.Model(inputs, head(x))


def depthwise(multiplier):
    inputs = keras.Input((8, 8, 3))
    x = block(inputs, "conv1", 6)
    x = layers.DepthwiseConv2D(3, depth_multiplier=multiplier, padding="same", name="depthwise")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="bn")(x))
    return keras.Model(inputs, head(block(x, "pointwise", 5, 1)))


def dense_blocks():
    """DenseNet: every convolution reads the concatenation of all before it."""
    inputs = keras.Input((6, 6, 3))
    x = block(inputs, "conv1", 6)
    for index in (2, 3):
        x = layers.Concatenate(name=f"concat{index}")([x, block(x, f"conv{index}", 4)])
        x = layers.BatchNormalization(name=f"concat{index}.bn")(x)
    return keras.Model(inputs, head(block(x, "transition", 5, 1)))


def partial_merge():
    """Add(Concat(a, b), c): one group of two blocks."""
    inputs = keras.Input((6, 6, 3))
    a, b, c = block(inputs, "a", 4), block(inputs, "b", 6), block(inputs, "c", 10)
    x = layers.Add(name="add")([layers.Concatenate(name="concat")([a, b]), c])
    return keras.Model(inputs, head(block(layers.Concatenate()([x, b]), "last", 5)))


def crossed_merge():
    """Add(Concat(a, b), Concat(c, d)): one merge that joins two groups."""
    inputs = keras.Input((6, 6, 3))
    a, b, c, d = (block(inputs, name, width) for name, width in (("a", 4), ("b", 6), ("c", 4), ("d", 6)))
    x = layers.Add(name="add")([layers.Concatenate()([a, b]), layers.Concatenate()([c, d])])
    return keras.Model(inputs, head(x))


def flatten():
    inputs = keras.Input((6, 4, 3))
    x = layers.Flatten()(block(inputs, "conv1", 6, strides=2))
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Dense(8, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.5)(layers.Dense(7, activation="tanh", name="hidden2")(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="linear")(x))


def flattened_concat():
    """Channels of two producers in alternation, at every position."""
    inputs = keras.Input((4, 4, 3))
    x = layers.Concatenate()([block(inputs, "a", 4), block(inputs, "b", 5)])
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    return keras.Model(inputs, layers.Dense(3, name="linear")(layers.Concatenate()([x, x])))


def squeeze_excite():
    inputs = keras.Input((6, 6, 3))
    x = block(inputs, "conv1", 8)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = conv(gate, "squeeze", 4, 1, activation="relu")
    gate = conv(gate, "excite", 8, 1, activation="sigmoid")
    return keras.Model(inputs, head(layers.Multiply(name="multiply")([x, gate])))


def one_channel_gate():
    """A gate of one channel is broadcast, and cannot be pruned itself."""
    inputs = keras.Input((6, 6, 3))
    x = block(inputs, "conv1", 8)
    x = layers.Multiply(name="multiply")([x, conv(x, "gate", 1, activation="sigmoid")])
    return keras.Model(inputs, head(x))


def resized():
    inputs = keras.Input((8, 8, 3))
    x = layers.ZeroPadding2D(1)(block(inputs, "conv1", 6))
    x = layers.Cropping2D(((1, 0), (0, 2)))(conv(x, "conv2", 5, padding="valid"))
    x = layers.UpSampling2D(2)(layers.Activation("relu")(x))
    return keras.Model(inputs, head(block(x, "conv3", 4)))


def shared():
    """One convolution and its normalization, called twice in a row and once beside."""
    inputs = keras.Input((6, 6, 4))
    x = block(inputs, "conv1", 8)
    twice, normalize = layers.Conv2D(8, 3, padding="same", name="twice"), layers.BatchNormalization(name="twice.bn")
    relu = layers.ReLU()
    x = relu(normalize(twice(x)))
    x = relu(normalize(twice(x)))
    return keras.Model(inputs, head(layers.Concatenate()([x, block(inputs, "other", 5)])))


def several_ends():
    first, second = keras.Input((6, 6, 3), name="first"), keras.Input((6, 6, 2), name="second")
    x = layers.Add(name="add")([block(first, "a", 6), block(second, "b", 6)])
    features = block(x, "features", 4)
    logits = layers.Dense(2, name="logits")(layers.Flatten()(block(x, "c", 5)))
    return keras.Model([first, second], [features, logits])


def sequential():
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(8, 3, name="conv1"),
            layers.BatchNormalization(name="bn"),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(3, name="linear"),
        ]
    )


def with_layer(layer, channels=8):
    """A layer between two convolutions, and a prunable convolution after them."""
    inputs = keras.Input((6, 6, 3))
    x = conv(inputs, "before", channels)
    x = conv(layer(x), "after", 6)
    return keras.Model(inputs, head(block(x, "last", 5)))


def nested_model():
    inner_input = keras.Input((6, 6, 8))
    inner = keras.Model(inner_input, block(inner_input, "inner.conv", 8), name="inner")
    return with_layer(inner)


def arithmetic():
    """keras.ops on symbolic tensors: operations that are no layers."""
    inputs = keras.Input((6, 6, 3))
    x = conv(inputs, "before", 8)
    x = conv(keras.ops.relu(x) * 2.0 + keras.ops.mean(x, axis=(1, 2), keepdims=True), "after", 6)
    return keras.Model(inputs, head(block(x, "last", 5)))
