"""What is folded into the layer before it, and that a network computes as its model all the same."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from objectives.network.elastic_layers import ElasticBatchNormalization, ElasticRectifier
from tests.objectives.images import CLASSES, SHAPE
from tests.objectives.network.networks import network_of
from tests.objectives.network.test_network import images, keras_step, randomized, step

layers = keras.layers


def model_of(block: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = block(layers.Conv2D(4, 3, padding="same")(inputs))
    return randomized(keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(x))))


def plain(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization()(x))


def by_name(x: Any) -> Any:
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def frozen(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization(trainable=False)(x))


def read_by_others(x: Any) -> Any:
    x = layers.BatchNormalization()(x)
    return layers.Add()([layers.ReLU()(x), x])


def shared_rectifier(x: Any) -> Any:
    rectifier = layers.ReLU()
    return layers.Subtract()([rectifier(layers.BatchNormalization()(x)), rectifier(layers.Conv2D(4, 1)(x))])


def shared_normalization(x: Any) -> Any:
    normalization = layers.BatchNormalization()
    return layers.ReLU()(normalization(layers.Conv2D(4, 1)(normalization(x))))


def capped(x: Any) -> Any:
    return layers.ReLU(max_value=1.0)(layers.BatchNormalization()(x))


def leaky(x: Any) -> Any:
    return layers.ReLU(negative_slope=0.1)(layers.BatchNormalization()(x))


def shifted(x: Any) -> Any:
    return layers.ReLU(threshold=0.3)(layers.BatchNormalization()(x))


def bent(x: Any) -> Any:
    return layers.Activation("gelu")(layers.BatchNormalization()(x))


ALONE = (plain, by_name, frozen)
NOT = (read_by_others, shared_rectifier, shared_normalization, capped, leaky, shifted, bent)


@pytest.mark.parametrize("block", [*ALONE, *NOT])
def test_a_network_computes_as_its_model(block: Any) -> None:
    model = model_of(block)
    network, (x, y) = network_of(model), images(model, 8)
    np.testing.assert_allclose(network.infer(x).numpy(), model(x).numpy(), rtol=1e-4, atol=1e-5)
    loss, weights = keras_step(model, x, y, keras.optimizers.SGD(0.05, momentum=0.9))
    assert step(network, x, y, 0.05) == pytest.approx(loss, rel=1e-5)
    network.unload(model)
    for result, expected in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("block", [*ALONE, *NOT])
def test_rectifiers_are_folded_where_they_alone_read_a_normalization(block: Any) -> None:
    made = network_of(model_of(block))._model.layers
    rectifies = [layer.rectifies for layer in made if isinstance(layer, ElasticBatchNormalization)]
    assert rectifies == [block in ALONE] * len(rectifies)


def test_a_folded_rectifier_passes_on_what_it_gets() -> None:
    made = [layer for layer in network_of(model_of(plain))._model.layers if isinstance(layer, ElasticRectifier)]
    values = tf.constant([[-1.0, 2.0]])
    assert [layer(values).numpy().tolist() for layer in made] == [[[-1.0, 2.0]]]
