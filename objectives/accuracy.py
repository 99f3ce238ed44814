"""The accuracy proxy: what a compressed model scores after a short repair, for the price of a trial."""

import math
import time
from dataclasses import dataclass

import keras

from compress.errors import ConfigError, DivergenceError
from objectives.fine_tuning import SgdSettings, fine_tune
from objectives.metric import ACCURACY, Metric
from objectives.recalibration import recalibrate
from objectives.score import Score, score
from zoo.data.dataset import ImageDataset


@dataclass(frozen=True)
class ProxySettings:
    """How much repair a candidate gets before it is scored.

    Attributes:
        recalibration_images: training images that re-estimate the batch normalization statistics.
        steps: SGD steps before that; 0 means recalibration alone.
        batch_size: images per batch, of all three stages.
        learning_rate: of SGD, constant.
        momentum: of SGD, in [0, 1).
        seed: of the images drawn, the order of the batches, and random layers (dropout).
        metric: what is measured besides accuracy and loss, where it is neither.

    Raises:
        ConfigError: if a value is out of its range.
    """

    recalibration_images: int = 1024
    steps: int = 30
    batch_size: int = 128
    learning_rate: float = 0.01
    momentum: float = 0.9
    seed: int = 0
    metric: Metric = ACCURACY

    def __post_init__(self) -> None:
        for name, least in (("recalibration_images", 1), ("steps", 0), ("batch_size", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise ConfigError(f"proxy.{name}: expected an integer of at least {least}, received {value!r}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ConfigError(f"proxy.learning_rate: expected a number above 0, received {self.learning_rate!r}")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"proxy.momentum: expected a number in [0, 1), received {self.momentum!r}")


@dataclass(frozen=True)
class ProxyResult:
    """What a candidate scored on the validation split.

    Attributes:
        accuracy: top-1, in [0, 1].
        loss: mean cross-entropy in nats.
        recalibrated_layers: batch normalization layers whose statistics were re-estimated.
        steps: SGD steps taken.
        seconds: wall time of the whole call.
        value: of the settings' metric, where that is neither accuracy nor loss.
    """

    accuracy: float
    loss: float
    recalibrated_layers: int
    steps: int
    seconds: float
    value: float | None = None


@dataclass(frozen=True)
class AccuracyProxy:
    """Judges candidates on one data set: a short fine-tune, recalibration, then the validation split.

    Without recalibration a pruned model scores at chance; a few SGD steps order candidates much as hundreds do
    (docs/design.md). Fits and recalibrates on `dataset.train`, scores on `dataset.validation`, never reads
    `dataset.test`.
    The same model and settings give the same accuracy on a CPU; a GPU also needs TensorFlow's op determinism.
    """

    dataset: ImageDataset
    settings: ProxySettings = ProxySettings()

    def __call__(self, model: keras.Model) -> ProxyResult:
        """Repair `model` IN PLACE (pass the trial's own copy) and score it.

        Raises:
            ModelError: if there are steps to take and the model has no trainable weights.
            DivergenceError: if the training loss, or the loss or metric on the validation split, is not finite.
        """
        started = time.perf_counter()
        settings, data = self.settings, self.dataset
        _reseed(model, settings.seed)
        sgd = SgdSettings(settings.batch_size, settings.learning_rate, settings.momentum, settings.seed)
        fine_tune(model, data.train, data.normalization, sgd, settings.steps)
        # Training normalizes with each batch's own statistics: earlier ones would not help it, and would be stale now.
        layers = recalibrate(
            model,
            data.train,
            data.normalization,
            images=settings.recalibration_images,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )
        result = score(model, data.validation, data.normalization, settings.batch_size, settings.metric)
        _check_finite(result, settings)
        seconds = time.perf_counter() - started
        return ProxyResult(result.accuracy, result.loss, layers, settings.steps, seconds, result.value)


def _reseed(model: keras.Model, seed: int) -> None:
    """Reset random layers: a copy of a model draws its seeds anew, and two copies must score alike."""
    states = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
    for stream, state in enumerate(states):
        state.assign([(seed + stream) % 2**32, 0])


def _check_finite(result: Score, settings: ProxySettings) -> None:
    if not math.isfinite(result.loss):
        raise DivergenceError(
            f"accuracy proxy: expected a finite validation loss, received {result.loss} after step {settings.steps}"
            f" with learning rate {settings.learning_rate:g}; lower the learning rate"
        )
