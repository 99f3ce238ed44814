import keras
import numpy as np
import pytest
from keras import layers

from compress.pruning.im2col import Reader
from tests.compress.fixtures.models import images, randomized


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same"},
        {"padding": "same", "strides": 2},
        {"padding": "valid", "strides": (2, 3)},
        {"padding": "same", "strides": 3},
        {"padding": "same", "dilation_rate": 2},
        {"padding": "valid", "dilation_rate": (1, 2)},
        {"kernel_size": 1, "strides": 2, "padding": "same"},
        {"kernel_size": (2, 4), "padding": "same"},
        {"kernel_size": (4, 2), "padding": "same", "strides": 3},
    ],
    ids=str,
)
def test_patches_times_the_kernel_are_the_convolutions_outputs(options):
    inputs = keras.Input((9, 8, 3))
    layer = layers.Conv2D(4, **{"kernel_size": 3, **options})
    model = randomized(keras.Model(inputs, layer(inputs)))
    x = images(model)
    expected = np.asarray(model(x)).reshape(3, -1, 4)
    reader = Reader.of(layer)
    assert reader.output_size(x.shape) == model.output.shape[1:3]
    places = np.stack([np.random.default_rng(i).permutation(expected.shape[1])[:5] for i in range(3)])
    result = reader.patches(x, places) @ np.asarray(layer.kernel).reshape(-1, 4) + np.asarray(layer.bias)
    np.testing.assert_allclose(result.reshape(3, 5, 4), np.take_along_axis(expected, places[..., None], 1), atol=1e-5)


@pytest.mark.parametrize("shape", [(6,), (5, 6), (4, 3, 6)], ids=str)
def test_a_dense_layer_reads_one_position(shape):
    inputs = keras.Input(shape)
    layer = layers.Dense(2)
    model = randomized(keras.Model(inputs, layer(inputs)))
    x = images(model)
    expected = np.asarray(model(x)).reshape(-1, 2)
    positions = int(np.prod(shape[:-1]))
    places = np.tile(np.arange(positions), (3, 1))
    result = Reader.of(layer).patches(x, places) @ np.asarray(layer.kernel) + np.asarray(layer.bias)
    np.testing.assert_allclose(result, expected, atol=1e-5)
