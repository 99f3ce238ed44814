"""A learning rate that is lowered when the validation loss stops falling, as in NPTK's ModelZoo."""

import keras

from compress.errors import ConfigError
from zoo.training.schedule import Rate, ScheduleKind


def rate(learning_rate: float, steps: int, *, factor: float = 0.1, patience: float = 10) -> Rate:
    """The learning rate, which the callback then changes.

    Raises:
        ConfigError: a factor or a patience out of range.
    """
    if not 0 < factor < 1:
        raise ConfigError(f"schedule.options.factor: expected a number in (0, 1), received {factor:g}")
    if patience < 1 or patience != int(patience):
        raise ConfigError(f"schedule.options.patience: expected whole epochs, at least 1, received {patience:g}")
    return learning_rate


def callback(*, factor: float = 0.1, patience: float = 10) -> keras.callbacks.ReduceLROnPlateau:
    """Multiplies the learning rate by the factor after so many epochs without a lower validation loss."""
    return keras.callbacks.ReduceLROnPlateau("val_loss", factor=factor, patience=int(patience))


PLATEAU = ScheduleKind("plateau", "falls by a factor when the validation loss no longer does", rate, callback)
