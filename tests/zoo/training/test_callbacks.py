"""What is kept and what stops a run, epoch by epoch."""

import keras
import numpy as np
import pytest

from compress.errors import DivergenceError
from zoo.tasks.metric import ACCURACY
from zoo.training.callbacks import BestWeights, DivergenceGuard


def _model() -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.25), "mse")
    return model


@pytest.mark.parametrize(
    ("epochs", "best"),
    [
        ([(0.5, 1.0), (0.9, 2.0), (0.7, 0.1)], 1),
        ([(0.9, 2.0), (0.9, 1.0), (0.9, 1.5)], 1),
        ([(0.9, 1.0), (0.9, 1.0)], 0),
        ([(0.0, 9.0)], 0),
    ],
    ids=["accuracy", "tie", "first", "chance"],
)
def test_the_best_epoch_s_weights_come_back(epochs: list[tuple[float, float]], best: int) -> None:
    model, callback = _model(), BestWeights(ACCURACY)
    callback.set_model(model)
    for epoch, (accuracy, loss) in enumerate(epochs):
        model.set_weights([np.array([[float(epoch)]])])
        callback.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": loss})
    callback.on_train_end()
    assert model.get_weights()[0].item() == best and callback.figure == epochs[best][0]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(loss: float) -> None:
    guard = DivergenceGuard()
    guard.set_model(_model())
    guard.on_epoch_begin(2)
    guard.on_train_batch_end(0, {"loss": 1e30})
    guard.on_epoch_end(2, {"val_loss": 1e30})
    with pytest.raises(
        DivergenceError, match=f"finite training loss, received {loss} in epoch 3 at learning rate 0.25"
    ):
        guard.on_train_batch_end(1, {"loss": loss})
    with pytest.raises(DivergenceError, match=f"finite validation loss, received {loss} in epoch 3"):
        guard.on_epoch_end(2, {"val_loss": loss})
