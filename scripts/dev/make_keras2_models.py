"""Writes the Keras 2 model files of tests/data/keras2, with the outputs that TensorFlow of their time computed.

Runs in an environment of its own, TensorFlow 2.3 on Python 3.8 and TensorFlow 2.8 on Python 3.10:

    pip install "tensorflow-cpu==2.3.4" "protobuf<3.20"
    python scripts/dev/make_keras2_models.py tests/data/keras2 tf2.3

Layers with a state beside their weights, and ``.keras`` files, come from the last Keras 2, under any TensorFlow:

    pip install tf_keras
    TF_USE_LEGACY_KERAS=1 python scripts/dev/make_keras2_models.py tests/data/keras2 tf_keras
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.keras import layers

ADAPTED = ("mean", "variance")
L2 = keras.regularizers.l2(5e-4)


def randomized(model, rng):
    """Every weight random, activations near one; what layers have adapted to data stays."""
    for variable in model.variables:
        if variable.dtype != tf.float32 or variable.name.split("/")[-1].split(":")[0] in ADAPTED:
            continue
        shape = tuple(variable.shape)
        if "variance" in variable.name:
            value = rng.uniform(0.5, 2, shape)
        elif "gamma" in variable.name:
            value = rng.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            value = rng.normal(0, 1.5 / np.sqrt(np.prod(shape[:-1])), shape)
        else:
            value = rng.normal(0, 0.5, shape)
        variable.assign(value.astype("float32"))
    return model


def mobile():
    """Depthwise and separable convolutions, regularizers, batch normalization without scale."""
    x = inputs = layers.Input((8, 8, 3), name="input")
    x = layers.ZeroPadding2D(1, name="block/pad")(x)
    x = layers.Conv2D(4, 3, strides=2, use_bias=False, kernel_regularizer=L2, name="block/conv")(x)
    x = layers.BatchNormalization(name="bn1")(x)
    x = layers.ReLU(6.0, name="relu6")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, depthwise_regularizer=L2, name="dw")(x)
    x = layers.BatchNormalization(name="bn2", scale=False)(x)
    x = layers.LeakyReLU(0.1, name="leaky")(x)
    x = layers.Add(name="add")([x, layers.SeparableConv2D(4, 3, padding="same", name="sep")(x)])
    x = layers.GlobalAveragePooling2D(name="gap")(layers.SpatialDropout2D(0.2, name="drop")(x))
    both = keras.regularizers.l1_l2(1e-4, 1e-3)
    model = keras.Model(inputs, layers.Dense(3, "softmax", kernel_regularizer=both, name="linear")(x), name="mobile")
    model.compile("sgd", "categorical_crossentropy")
    return model


def shared():
    """A layer and a model that are called twice, frozen normalization, two outputs."""
    inputs = layers.Input((6, 6, 3), name="input")
    twice = layers.Conv2D(3, 3, padding="same", name="twice")
    x = twice(layers.Activation("relu", name="act")(twice(inputs)))
    parts = [layers.InputLayer((6, 6, 3), name="inner_input"), layers.Conv2D(4, 1, name="inner.conv")]
    inner = keras.Sequential([*parts, layers.BatchNormalization(name="inner.bn")], name="inner")
    inner.layers[0].trainable = False
    prelu = layers.PReLU(shared_axes=[1, 2], name="prelu")
    x = layers.Concatenate(name="concat")([inner(x), inner(inputs), prelu(x)])
    x = layers.BatchNormalization(name="frozen", trainable=False)(x, training=False)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="up")(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="deconv")(x)
    first = layers.Dense(2, name="a")(layers.Flatten(name="flat")(layers.MaxPooling2D(4, name="pool")(x)))
    second = layers.Dense(2, "sigmoid", name="b")(layers.GlobalMaxPooling2D(name="gmp")(x))
    return keras.Model(inputs, [first, second], name="shared")


def operations():
    """Tensors that are computed with: TensorFlowOpLayer in 2.3, TFOpLambda in 2.8."""
    inputs = layers.Input((6, 6, 3), name="input")
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    y = layers.ReLU(6.0, name="relu")(x + 3.0) * (1.0 / 6.0)
    x = tf.nn.relu(1.5 - x * y) / 0.75 + tf.nn.sigmoid(y) - tf.tanh(x)
    x = tf.concat([tf.nn.relu6(x), y], axis=-1) - 0.5
    return keras.Model(inputs, layers.Dense(2, name="linear")(tf.reduce_mean(x, axis=[1, 2])), name="operations")


def sequential():
    """Sequential, its input shape given to the first layer."""
    first = layers.Conv2D(4, 3, input_shape=(6, 6, 3), name="conv1")
    parts = [
        first,
        layers.BatchNormalization(name="bn"),
        layers.ReLU(name="relu"),
        layers.AveragePooling2D(name="pool"),
    ]
    parts += [layers.Flatten(name="flat"), layers.Dropout(0.5, name="drop"), layers.Dense(3, name="linear")]
    return keras.Sequential(parts, name="sequential")


def stateful():
    """Layers that keep something beside their weights: statistics, boundaries, seeds, states of recurrence."""
    rng = np.random.RandomState(1)
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(rng.normal(3, 2, (16, 8, 8, 3)).astype("float32"))
    inner = layers.Normalization(name="inner_normalization")
    inner.adapt(rng.normal(-1, 4, (16, 8, 8, 3)).astype("float32"))
    inputs = layers.Input((8, 8, 3), name="input")
    x = layers.RandomRotation(0.2, seed=1, name="rotation")(layers.RandomFlip(name="flip")(normalization(inputs)))
    x = keras.Sequential([layers.InputLayer((8, 8, 3), name="inner_input"), inner], name="inner")(x)
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(4, 3, name="conv")(x))
    x = layers.Reshape((6, 24), name="rows")(layers.SeparableConv2D(4, 3, padding="same", name="sep")(x))
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(x)
    x = layers.SimpleRNN(4, return_sequences=True, name="simple")(layers.GRU(5, return_sequences=True, name="gru")(x))
    bins = layers.Discretization([-0.5, 0.0, 0.5], name="bins")(layers.Flatten(name="flat")(x))
    x = layers.Concatenate(name="concat")(
        [
            layers.CategoryEncoding(4, output_mode="multi_hot", name="encoding")(bins),
            layers.Flatten(name="last")(layers.TimeDistributed(layers.Dense(2, name="each"), name="distributed")(x)),
        ]
    )
    return keras.Model(inputs, layers.Dense(3, name="linear")(x), name="stateful")


def given_statistics():
    """Normalization whose mean and variance are options, not weights, and its inverse."""
    inputs = layers.Input((6, 6, 3), name="input")
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 0.5], name="given")(inputs)
    x = layers.Normalization(mean=0.5, variance=2.0, invert=True, name="inverse")(x)
    return keras.Model(inputs, layers.Conv2D(2, 3, name="conv")(x), name="given_statistics")


def save_small(model, folder):
    """A SavedModel without the functions of its graph, which take most of its size and are not read."""
    model.save(str(folder), save_format="tf")
    path = folder / "saved_model.pb"
    whole, small = SavedModel.FromString(path.read_bytes()), SavedModel(saved_model_schema_version=1)
    root = small.meta_graphs.add().object_graph_def.nodes.add()
    root.user_object.CopyFrom(whole.meta_graphs[0].object_graph_def.nodes[0].user_object)
    path.write_bytes(small.SerializeToString())


def main(folder, era):
    """Write the .h5 files, one SavedModel, and inputs and outputs of all."""
    rng, expected = np.random.RandomState(0), {}
    last = era == "tf_keras"
    for build in (stateful, given_statistics, mobile, sequential) if last else (mobile, shared, operations, sequential):
        name, model = build.__name__, randomized(build(), rng)
        x = expected[f"{name}_x"] = rng.normal(size=(2, *model.inputs[0].shape[1:])).astype("float32")
        outputs = model(x, training=False)
        for index, output in enumerate(outputs if isinstance(outputs, list) else [outputs]):
            expected[f"{name}_y{index}"] = output.numpy()
        model.save(str(folder / f"{era}-{name}.h5"))
        if last:
            model.save(str(folder / f"{era}-{name}.keras"))
        if build in (shared, stateful):
            save_small(model, folder / f"{era}-{name}")
    np.savez(str(folder / f"{era}-expected.npz"), **expected)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
