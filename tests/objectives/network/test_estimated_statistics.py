"""Statistics of batch normalization in the network of candidates: estimated, and left alone by steps."""

from typing import Any

import keras
import numpy as np
import pytest

from tests.objectives.images import CLASSES, SHAPE
from tests.objectives.network.networks import images, network_of, step


class OwnNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """A subclass, which has no stand-in."""


@pytest.mark.parametrize(
    "norm",
    [OwnNormalization(), keras.layers.BatchNormalization(axis=1), keras.layers.BatchNormalization(synchronized=True)],
)
def test_any_batch_normalization_is_estimated_and_left_alone_by_steps(norm: Any) -> None:
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(norm(inputs))))
    network, (x, y) = network_of(model), images(model, 16)
    step(network, x, y, 0.1)
    network.unload(model)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), 0)
    for number, part in enumerate((x[:8], x[8:])):
        network.observe(part, 1 / (number + 1))
    network.unload(model)
    axes = tuple(axis for axis in range(4) if axis != norm.axis % 4)
    np.testing.assert_allclose(norm.moving_mean.numpy(), x.mean(axes), atol=1e-6)
    expected = (x[:8].var(axes) + x[8:].var(axes)) / 2
    np.testing.assert_allclose(norm.moving_variance.numpy(), expected, rtol=1e-4)
    step(network, x, y, 0.1)
    network.unload(model)
    np.testing.assert_allclose(norm.moving_variance.numpy(), expected, rtol=1e-4)


def test_batch_normalization_inside_another_layer_is_estimated_and_left_alone_by_steps() -> None:
    inputs, norm = keras.Input(SHAPE), keras.layers.BatchNormalization()
    x = keras.layers.TimeDistributed(norm)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(x)))
    network, (x, y) = network_of(model), images(model, 16)
    x[:] = x[:, :1]  # Alike at every step.
    step(network, x, y, 0.1)
    network.unload(model)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), 0)
    assert network.normalizes
    network.observe(x, 1.0)
    network.unload(model)
    np.testing.assert_allclose(norm.moving_mean.numpy(), x.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance.numpy(), x.var((0, 1, 2)), rtol=1e-4)
