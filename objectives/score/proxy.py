"""The proxy: scores a candidate after a short repair, in the time of a trial instead of a fine-tuning."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property

import keras
import numpy as np
from numpy.typing import NDArray

from compress.errors import ConfigError, DivergenceError
from objectives.network.distillation import Distillation, SoftLabels, TrainingLoss
from objectives.network.elastic_layer import LayerWeights
from objectives.network.network import Network
from objectives.network.precision import Precision, fast_precision
from objectives.network.signature import signature
from objectives.network.update_rule import update_rule
from objectives.score.repair import Repair
from zoo.data.dataset import ImageDataset, Split
from zoo.data.split import drawn_numbers
from zoo.tasks.figures.scoring import Scoring
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.metric import Metric, Score
from zoo.training.training import SGD

_NETWORKS = 4
"""Most traced networks that are kept: candidates with ranks differ in layers, and each network takes memory."""

_PROBE_SCORED, _PROBE_RECALIBRATED = 1000, 512
"""Most images by which a probe of the sensitivity sweep is scored, and its statistics estimated."""

_LEAST = {
    "recalibration_images": 1,
    "validation_images": 1,
    "steps": 0,
    "batch_size": 1,
    "seed": 0,
    "reconstruction_images": 0,
}


@dataclass(frozen=True)
class ProxySettings:
    """How much repair a candidate gets before it is scored.

    Attributes:
        recalibration_images: training images from which the statistics of batch normalization are estimated.
        steps: training steps before that; 0 for recalibration alone.
        batch_size: images per batch in training, recalibration and scoring.
        learning_rate: of the steps, constant.
        optimizer: SGD, Adam or AdamW of `keras.optimizers`.
        seed: of the images drawn, the order of the batches, and random layers (dropout).
        metric: a metric to measure besides the task's own; None for none.
        validation_images: most validation images that a candidate is scored on, the same for every candidate; None for
            all of them.
        reconstruction_images: training images by which the weights of pruned layers are fitted before the steps; 0 for
            none.
        distillation: weight and temperature of the original model's outputs; None to train on labels alone.
        precision: that layers compute in; None for the fastest one of the judging machine.
        jit_compile: whether XLA compiles steps and scoring, for the shapes of every candidate anew.

    Raises:
        ConfigError: if a value is out of its range.
    """

    recalibration_images: int = 1024
    steps: int = 30
    batch_size: int = 128
    learning_rate: float = 0.01
    optimizer: KerasClass = SGD
    seed: int = 0
    metric: Metric | None = None
    validation_images: int | None = 2000
    reconstruction_images: int = 0
    distillation: Distillation | None = None
    precision: Precision | None = Precision()
    jit_compile: bool = False

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"proxy.{name}: expected an integer of at least {least}, received {value!r}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ConfigError(f"proxy.learning_rate: expected a number above 0, received {self.learning_rate!r}")
        update_rule(self.optimizer)

    def scored(self, validation: Split) -> NDArray[np.int64]:
        """Numbers of the validation images that candidates are scored on, in their order."""
        return drawn_numbers(validation, self.validation_images or len(validation), self.seed)


@dataclass(frozen=True)
class ProxyResult:
    """A candidate's score on the validation split.

    Attributes:
        score: the figures.
        steps: training steps taken in all.
        recalibration_images: number of images that the statistics were estimated from.
        seconds: wall time of the call.
    """

    score: Score
    steps: int
    recalibration_images: int
    seconds: float


class ScoreProxy:
    """Scores candidates on one data set after a short training and recalibration.

    Without recalibration a pruned model scores at chance; a few training steps rank candidates much as hundreds do
    (docs/design.md). Trains and recalibrates on the train split, scores on the validation split, never reads the test
    split. The same model and settings give the same accuracy on a CPU; a GPU also needs TensorFlow's op determinism.

    Candidates with the same layers share one traced network whatever their channel counts, so that none of them is
    built or traced.

    Args:
        dataset: images and labels.
        settings: of the repair; None for the defaults.
        original: the model that candidates are made from, for distillation; it is not modified.

    Attributes:
        settings: of the repair.
        precision: that layers compute in.

    Raises:
        ConfigError: distillation without an original.
    """

    def __init__(
        self, dataset: ImageDataset, settings: ProxySettings | None = None, original: keras.Model | None = None
    ) -> None:
        self._data, self.settings = dataset, settings or ProxySettings()
        self.precision = self.settings.precision or fast_precision(self.settings.jit_compile)
        self._networks: OrderedDict[str, Network] = OrderedDict()
        self._shared: Network | None = None
        self._soft: SoftLabels | None = None
        if self.settings.distillation is not None:
            if original is None:
                raise ConfigError("proxy.distillation: expected the original model, received none; pass original=")
            self._soft = self._soft_labels(original)

    def __call__(self, model: keras.Model) -> ProxyResult:
        """Repair a copy of the model's weights, and score it on validation images.

        Raises:
            ModelError: there are steps to take and the model has no trainable weights.
            DivergenceError: the training loss, or the loss or metric on the validation split, is not finite.
        """
        started = time.perf_counter()
        result = self.rung(self.start(model), self.settings.steps)
        return replace(result, seconds=time.perf_counter() - started)

    def start(self, model: keras.Model) -> Repair:
        """Begin the repair of a candidate; it is valid until the next candidate is started."""
        network = self._network(model)
        network.load(model, self.settings.seed)
        return self._repair(network)

    def share(self, model: keras.Model, decomposable: frozenset[str] = frozenset()) -> bool:
        """Keep one network for all candidates of a model, which ``start_from_weights`` loads without building them.

        Args:
            model: the model to compress; its signature is not None.
            decomposable: convolutions that a candidate may have whole or decomposed.

        Returns:
            Whether the model's layers take any number of channels; if not, there is no such network.
        """
        network = self._new_network(model, self.settings.distillation, decomposable)
        if network.takes_any_channels:
            self._shared = network
        return network.takes_any_channels

    def start_from_weights(self, weights: LayerWeights) -> Repair:
        """Begin the repair of a candidate of the shared model, from its weights alone.

        Raises:
            ConfigError: ``share`` was not called before, or returned False.
        """
        if self._shared is None:
            raise ConfigError("proxy: expected a shared network, received none; call share() first, or start(model)")
        self._shared.load_weights(weights, self.settings.seed)
        return self._repair(self._shared)

    def _repair(self, network: Network) -> Repair:
        return Repair(network, self._data, self.settings.batch_size, self.settings.seed, self._soft)

    def rung(self, repair: Repair, steps: int) -> ProxyResult:
        """Train a candidate until it has taken ``steps`` steps in all, recalibrate, and score it.

        Training never reads the statistics that recalibration estimates: 30 steps and 90 more give what 120 give.

        Raises:
            ConfigError: it has taken more steps already.
            ModelError: there are steps to take and the model has no trainable weights.
            DivergenceError: the training loss, or the loss or metric on the validation split, is not finite.
        """
        if steps < repair.steps:
            raise ConfigError(f"proxy rung: expected at least the {repair.steps} steps taken, received {steps}")
        started, settings = time.perf_counter(), self.settings
        repair.advance(steps - repair.steps, lambda step: settings.learning_rate)
        return self._scored(repair, settings.recalibration_images, self._validation, started)

    def probe(self, repair: Repair) -> ProxyResult:
        """Recalibrate a candidate and score it, on a sample of validation images that is the same for every candidate.

        How much single parts of a model matter shows on few images (docs/design.md, the search).

        Raises:
            DivergenceError: the loss or metric on the sample is not finite.
        """
        images = min(_PROBE_RECALIBRATED, self.settings.recalibration_images)
        return self._scored(repair, images, self._sample, time.perf_counter())

    @cached_property
    def _validation(self) -> Split:
        """What candidates are scored on."""
        validation = self._data.validation
        scored = self.settings.scored(validation)
        return validation if len(scored) == len(validation) else validation.take(scored)

    @cached_property
    def _sample(self) -> Split:
        return self._validation.take(drawn_numbers(self._validation, _PROBE_SCORED, self.settings.seed))

    def _scored(self, repair: Repair, recalibration_images: int, split: Split, started: float) -> ProxyResult:
        images = repair.recalibrate(recalibration_images)
        result = self.score(repair, split)
        _check_finite(result, repair.steps, self.settings.learning_rate)
        return ProxyResult(result, repair.steps, images, time.perf_counter() - started)

    def score(self, repair: Repair, split: Split) -> Score:
        """Score a candidate on a split with the weights that it has now.

        Raises:
            DivergenceError: a metric that is not finite though the loss is.
        """
        scoring = Scoring(self._data.task, repair.loss, self.settings.metric)
        for targets, outputs in repair.answers(split):
            scoring.add(targets, outputs)
        return scoring.result()

    def _network(self, model: keras.Model) -> Network:
        """The network for a model: of an earlier model with the same signature, or a new one."""
        name = signature(model)
        if name is None:
            return self._new_network(model, self.settings.distillation)
        if name not in self._networks:
            network = self._new_network(model, self.settings.distillation)
            if not network.takes_any_channels:
                return network
            self._networks[name] = network
        self._networks.move_to_end(name)
        if len(self._networks) > _NETWORKS:
            self._networks.popitem(last=False)
        return self._networks[name]

    def _new_network(
        self, model: keras.Model, distillation: Distillation | None, decomposable: frozenset[str] = frozenset()
    ) -> Network:
        settings = self.settings
        task = self._data.task
        loss = TrainingLoss(task.loss(model), task, distillation)
        return Network(model, loss, update_rule(settings.optimizer), self.precision, settings.jit_compile, decomposable)

    def _soft_labels(self, original: keras.Model) -> SoftLabels:
        """The original's softened outputs for training images, by their indices."""
        network = self._new_network(original, None)
        network.load(original, self.settings.seed)
        reader = Repair(network, self._data, self.settings.batch_size, self.settings.seed)
        train, task, from_logits = self._data.train, self._data.task, reader.loss.from_logits

        def softened(indices: NDArray[np.int64]) -> NDArray[np.float32]:
            outputs = reader.outputs(Split(*train.at(indices)))
            return np.asarray(keras.ops.convert_to_numpy(task.soft(outputs, from_logits)))

        return SoftLabels(softened, len(train), softened(np.zeros(1, np.int64)).shape[1:])


def _check_finite(result: Score, steps: int, learning_rate: float) -> None:
    if not math.isfinite(result.loss):
        raise DivergenceError(
            f"proxy: expected a finite validation loss, received {result.loss} after step {steps}"
            f" with learning rate {learning_rate:g}; lower the learning rate"
        )
