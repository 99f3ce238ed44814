"""What watches a training run: the stop at a loss that is not finite, and the memory of the best weights."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from compress.errors import DivergenceError
from zoo.tasks.metric import Metric
from zoo.training.precision import unscaled


class DivergenceGuard(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises DivergenceError as soon as a training or validation loss is NaN or infinite."""

    # Keras then checks batches in a thread of its own, without making every step wait for its loss.
    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Remember the epoch for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Check the running mean of the loss, which one bad batch spoils."""
        self._check((logs or {}).get("loss", 0.0), "training")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Check the validation loss, which moving statistics can spoil alone."""
        self._check((logs or {}).get("val_loss", 0.0), "validation")

    def _check(self, loss: float, kind: str) -> None:
        if not math.isfinite(loss):
            rate = float(self.model.optimizer.learning_rate)
            raise DivergenceError(
                f"expected a finite {kind} loss, received {loss} in epoch {self._epoch + 1} at learning rate "
                f"{rate:g}; lower the learning rate"
            )


class BestWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the weights of the epoch with the best validation, gives them back at the end, and stops early if asked to.

    Args:
        metric: what is best on the validation split.
        patience: epochs in a row without a better one after which training stops, or None to train to the end.

    Attributes:
        figure: the best of the metric so far; at equal figures the lower validation loss wins.
        loss: validation loss of that epoch.
        waited: epochs in a row that were not better.
        weights: of that epoch.
    """

    def __init__(self, metric: Metric, patience: int | None = None) -> None:
        super().__init__()
        self._metric, self._patience = metric, patience
        self.put_back([], -self._sign * math.inf, math.inf, 0)

    @property
    def _sign(self) -> int:
        return 1 if self._metric.direction == "maximize" else -1

    @property
    def is_exhausted(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._patience is not None and self.waited >= self._patience

    def put_back(self, weights: list[Any], figure: float, loss: float, waited: int) -> None:
        """Take up the memory of a run that goes on."""
        self.weights, self.figure, self.loss, self.waited = weights, figure, loss, waited

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Copy the weights when this epoch's are the best; stop where none has been for too long."""
        values = logs or {}
        figure, loss = values[f"val_{self._metric.name}"], values["val_loss"]
        if (self._sign * figure, -loss) > (self._sign * self.figure, -self.loss):
            self.put_back(self.model.get_weights(), figure, loss, 0)
        else:
            self.waited += 1
        if self.is_exhausted:
            self.model.stop_training = True

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore the best weights."""
        self.model.set_weights(self.weights)


class AveragedWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Puts the optimizer's moving averages in the weights' place whenever a model is validated and kept.

    From each validation to the next epoch's beginning the two have changed places; callbacks behind this one, and
    whoever looks at the model between epochs, see the averages. Keras's own SwapEMAWeights exchanges them by sums,
    which round, and cannot go on in another process.

    Attributes:
        in_model: whether the model holds the averages now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.in_model = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Give the model the weights that are trained."""
        if self.in_model:
            self._exchange()

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Give the model the averages."""
        if not self.in_model:
            self._exchange()

    def _exchange(self) -> None:
        optimizer = unscaled(self.model.optimizer)
        averages = optimizer._model_variables_moving_average
        for variable, average in zip(optimizer._trainable_variables, averages, strict=True):
            values = variable.numpy(), average.numpy()
            average.assign(values[0])
            variable.assign(values[1])
        self.in_model = not self.in_model
