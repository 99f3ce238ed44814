"""Steps of every optimizer against those of Keras, on weights of any number of channels."""

from typing import Any

import keras
import numpy as np
import pytest

from compress.errors import ConfigError
from objectives.network.update_rule import update_rule
from tests.objectives.network.networks import images, keras_step, network_of, step
from zoo.tasks.keras_class import KerasClass

RATE = 0.05
OPTIMIZERS = [
    KerasClass("SGD"),
    KerasClass("SGD", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.3}),
    KerasClass("Adam", {"beta_1": 0.7, "epsilon": 1e-3}),
    KerasClass("Adam", {"beta_1": 0}),
    KerasClass("adam_w", {"beta_2": 0.9, "weight_decay": 0.3}),
]


def net(channels: int) -> keras.Model:
    """A convolution of so many channels, and a head."""
    keras.utils.set_random_seed(channels)
    inputs = keras.Input((4, 4, 2))
    features = keras.layers.Conv2D(channels, 3, activation="relu", name="conv")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(keras.layers.Flatten()(features)))


def kerass(optimizer: KerasClass) -> Any:
    """The optimizer itself."""
    kind = {"SGD": keras.optimizers.SGD, "Adam": keras.optimizers.Adam, "adam_w": keras.optimizers.AdamW}
    return kind[optimizer.name](learning_rate=RATE, **optimizer.options)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_steps_are_those_of_keras_for_one_candidate_after_the_other(optimizer: KerasClass) -> None:
    """The second candidate has other channels, and nothing is left of the first."""
    network = network_of(net(5), update_rule(optimizer))
    for channels in (5, 3):
        model = net(channels)
        network.load(model, seed=0)
        x, y = images(model)
        own = kerass(optimizer)
        for _ in range(3):
            loss, weights = keras_step(model, x, y, own)
            assert step(network, x, y, RATE) == pytest.approx(loss, rel=1e-5)
        network.unload(model)
        for value, expected in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_allclose(value, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (KerasClass("Lion"), "proxy.optimizer: expected SGD, Adam, AdamW, by which trials .*, received Lion"),
        (KerasClass("AdamV"), "proxy.optimizer: expected the name of a class of Keras, received 'AdamV'; did you mean"),
        (KerasClass("AdamW", {"momentum": 0.9}), "proxy.optimizer: expected options that AdamW takes"),
        (KerasClass("SGD", {"learning_rate": 0.1}), "proxy.optimizer.options: expected no learning_rate for SGD"),
        (
            KerasClass("AdamW", {"use_ema": True, "weight_decay": 0.1}),
            "proxy.optimizer.options: expected beta_1, beta_2, epsilon, weight_decay for AdamW, received use_ema",
        ),
    ],
    ids=str,
)
def test_what_networks_of_any_channels_are_not_trained_by(optimizer: KerasClass, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        update_rule(optimizer)
