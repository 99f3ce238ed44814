"""Networks of models, ready for repair."""

from typing import Any

import keras

from objectives.network import Network
from objectives.precision import Precision
from objectives.repair import Repair
from objectives.training_loss import TrainingLoss
from zoo.data.dataset import ImageDataset
from zoo.loss import loss_for


def network_of(model: keras.Model, momentum: float = 0.9, precision: str = "float32", **changes: Any) -> Network:
    """A network that holds the model's weights."""
    network = Network(model, TrainingLoss(loss_for(model)), momentum, Precision(precision), **changes)
    network.load(model, seed=0)
    return network


def repair_of(model: keras.Model, data: ImageDataset, batch_size: int = 16, seed: int = 3, **changes: Any) -> Repair:
    """The repair of a model at its beginning."""
    return Repair(network_of(model, **changes), data, batch_size, seed)
