"""Small models for the tests of the search: cheap to build, with every feature that the space minds."""

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers

from compress.analysis import analyse
from compress.recipe import Stage
from objectives.budget import Budget
from objectives.cost import CostModel
from objectives.limit import Limit
from objectives.quantity import FLOPS
from search.space import SearchSpace, SpaceSettings
from zoo.models.registry import build_model
from zoo.models.resnet import ResNet

PRUNE_FIRST: tuple[Stage, ...] = ("prune", "decompose")
DECOMPOSE_FIRST: tuple[Stage, ...] = ("decompose", "prune")
PRUNE_ONLY: tuple[Stage, ...] = ("prune",)
DECOMPOSE_ONLY: tuple[Stage, ...] = ("decompose",)
RECIPES = (PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY, DECOMPOSE_ONLY)


def _chain() -> keras.Model:
    """Plain: a strided convolution, biases, a dense layer behind a flatten."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(10, 3, padding="same", activation="relu", name="a")(inputs)
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu", name="b")(x)
    x = layers.Conv2D(7, 1, activation="relu", name="c")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="head")(layers.Flatten()(x)))


def tiny() -> keras.Model:
    """Residual, for the digits: the smallest model that is still worth searching."""
    inputs = keras.Input((8, 8, 1), name="input")
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", name="conv1")(inputs)))
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", name="block.conv1")(x)))
    y = layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", name="block.conv2")(y))
    x = layers.ReLU()(layers.Add(name="add")([x, y]))
    x = layers.ReLU()(layers.Conv2D(24, 3, strides=2, padding="same", name="conv2")(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="linear")(x), name="tiny")


@cache
def model(name: str) -> Any:
    """One shared, untrained model; nobody may change it."""
    keras.utils.set_random_seed(7)
    own = {"chain": _chain, "tiny": tiny}
    return own[name]() if name in own else build_model(name)


@cache
def trained_like() -> Any:
    """A shared residual net of kernels with a few strong directions and little noise, as training leaves them."""
    keras.utils.set_random_seed(3)
    net = ResNet((24, 32, 48), (1, 1, 1), bottleneck=False, shortcut_normalization=True)
    model = net("small", (8, 8, 1), 10)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        height, width, channels, filters = layer.kernel.shape
        rank = max(1, min(channels, filters) // 3)
        left, right = rng.normal(size=(height * width * channels, rank)), rng.normal(size=(rank, filters))
        strong = (left * np.geomspace(1, 0.2, rank)) @ right * rng.uniform(0.2, 1, filters)
        layer.kernel.assign(strong.reshape(layer.kernel.shape) + rng.normal(0, 0.05, layer.kernel.shape))
    return model


@cache
def cost(name: str) -> CostModel:
    """Cost model of one of these models, or of a model of the zoo."""
    return CostModel(analyse(model(name)))


def space(name: str, recipe: tuple[Stage, ...] = PRUNE_FIRST, settings: SpaceSettings | None = None) -> SearchSpace:
    """The search space of one of these models."""
    return SearchSpace(cost(name), settings or SpaceSettings(), recipe)


def flops_budget(most: float, text: str) -> Budget:
    """A budget of FLOPs alone."""
    return Budget((Limit(FLOPS, most, text),))


NETS = ("chain", "tiny", "digits_resnet")
for _name in NETS:
    cost(_name)  # Built once here: a strategy must not draw from random generators of its own, as weights do.
