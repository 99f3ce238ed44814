"""A model for smaller images keeps its weights and what it says of images that look alike at every size."""

import keras
import numpy as np
from keras import layers

from scripts.bench.shrink_input import shrunk


def test_the_same_function_at_another_size():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(5, 1, activation="relu", name="conv")(inputs)
    x = layers.Add(name="add")([x, layers.Conv2D(5, 1, name="shortcut")(inputs)])
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    smaller = shrunk(model, 4)
    assert (model.input_shape, smaller.input_shape) == ((None, 8, 8, 3), (None, 4, 4, 3))
    assert [layer.name for layer in smaller.layers][1:] == [layer.name for layer in model.layers][1:]
    colours = np.random.default_rng(0).random((6, 1, 1, 3), np.float32)
    large, small = (np.broadcast_to(colours, (6, size, size, 3)) for size in (8, 4))
    np.testing.assert_allclose(smaller(small), model(large), rtol=1e-5)
    # A copy: training it leaves the given model as it is.
    smaller.get_layer("conv").kernel.assign(smaller.get_layer("conv").kernel + 1)
    assert not np.allclose(smaller.get_layer("conv").kernel, model.get_layer("conv").kernel)
