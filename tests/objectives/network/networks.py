"""Networks of models, ready for repair."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from objectives.network.distillation import TrainingLoss
from objectives.network.network import Network
from objectives.network.precision import Precision
from objectives.network.update_rule import UpdateRule, update_rule
from objectives.score.repair import Repair
from zoo.data.dataset import ImageDataset
from zoo.tasks.kinds.classification import Classification
from zoo.training.training import SGD

MOMENTUM = update_rule(SGD)


def network_of(model: keras.Model, rule: UpdateRule = MOMENTUM, precision: str = "float32", **changes: Any) -> Network:
    """A network that holds the model's weights."""
    network = Network(
        model, TrainingLoss(Classification().loss(model), Classification()), rule, Precision(precision), **changes
    )
    network.load(model, seed=0)
    return network


def repair_of(model: keras.Model, data: ImageDataset, batch_size: int = 16, seed: int = 3, **changes: Any) -> Repair:
    """The repair of a model at its beginning."""
    return Repair(network_of(model, **changes), data, batch_size, seed)


def randomized(model: keras.Model, seed: int = 1) -> keras.Model:
    """Statistics, scales and offsets as after training: not ones and zeros."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for weight in layer.weights:
                positive = weight is layer.moving_variance or weight is layer.gamma
                weight.assign(rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0, 0.2, weight.shape))
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(0, 0.2, layer.bias.shape))
    return model


def images(model: keras.Model, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels."""
    rng = np.random.default_rng(0)
    shape = (count, *model.input_shape[1:])
    return rng.normal(size=shape).astype(np.float32), rng.integers(0, model.output_shape[-1], count)


def keras_step(
    model: keras.Model, x: np.ndarray, y: np.ndarray, optimizer: keras.optimizers.Optimizer
) -> tuple[float, list[np.ndarray]]:
    """Loss before, and weights after, one step by Keras's own optimizer."""
    with tf.GradientTape() as tape:
        loss = tf.add_n([Classification().loss(model)(y, model(x, training=True)), *model.losses])
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return float(loss), [variable.numpy() for variable in variables]


def step(network: Any, x: np.ndarray, y: np.ndarray, rate: float) -> float:
    """Loss before one step of the network on labels alone."""
    return float(network.step(x, y, np.empty((len(y), 0), np.float32), np.float32(rate)))
