"""Judges candidates by a task of the user's own: builds them, and trains and scores them by the task's code."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from compress.cloning.walk import as_functional
from compress.decomposition.kernel_bases import BasesCache
from compress.parameters import DEFAULT_RECIPE, CompressionParameters, Stage
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings
from compress.recipe import apply_parameters, used_values
from objectives.network.distillation import lesson_of
from objectives.network.precision import Precision
from objectives.score.proxy import ProxyResult, ProxySettings
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import OwnTask
from zoo.training.recalibration import BatchStatistics


@dataclass
class OwnTrial:
    """A candidate, and the steps that it has been trained for."""

    model: Any
    steps: int = 0


class OwnTrials:
    """Judges candidates of one model by a task of the user's own.

    A candidate is a built model, which later rungs continue to train. Where the task gives images, the statistics of
    batch normalization are estimated anew before scoring.

    Args:
        original: the model to compress; it is not modified.
        task: trains and scores.
        settings: learning rate, batch size, seed, images.
        recipe: order of the stages.
        pruning: which channels go.
        calibration: images by which pruned layers are fitted, or None.
        rungs: steps after which a trial may be judged. Steps across several rungs are taken in as many calls, so that a
            trial which another worker continues gets the same figures.
        teacher: of distillation, where the task is not the user's own code; None for ``original``.

    Attributes:
        settings: of the repair.
        precision: that layers compute in, unless the task's code changes it.
    """

    def __init__(
        self,
        original: Any,
        task: OwnTask,
        settings: ProxySettings,
        recipe: Sequence[Stage] = DEFAULT_RECIPE,
        pruning: PruningSettings = DEFAULT_PRUNING,
        calibration: Any = None,
        rungs: Sequence[int] = (),
        teacher: Any = None,
    ) -> None:
        self._original, self._task, self.settings = as_functional(original), task, settings
        self._recipe, self._pruning, self._calibration = tuple(recipe), pruning, calibration
        self._rungs, self._cache, self.precision = tuple(rungs), BasesCache(), Precision()
        self._lesson = lesson_of(task, settings.distillation, self._original if teacher is None else teacher)

    def start(self, parameters: CompressionParameters) -> OwnTrial:
        """Build a candidate, before any training.

        Raises:
            ModelError: a kernel is not finite.
            ParameterError: parameters that do not fit the model.
        """
        model = apply_parameters(
            self._original,
            used_values(parameters, self._recipe),
            self._recipe,
            pruning=self._pruning,
            cache=self._cache,
            calibration=self._calibration,
        )
        return OwnTrial(model)

    def rung(self, trial: OwnTrial, steps: int) -> ProxyResult:
        """Train a candidate until it has taken ``steps`` steps in all, and score it.

        Raises:
            TaskError: the task fails.
            DivergenceError: a weight or a figure is not finite.
        """
        started = time.perf_counter()
        for end in [*(rung for rung in self._rungs if trial.steps < rung < steps), steps]:
            self._advance(trial, end)
        images = self._recalibrated(trial.model)
        score = self._task.evaluate(trial.model, "validation")
        return ProxyResult(score, steps, images, time.perf_counter() - started)

    def probe(self, trial: OwnTrial) -> ProxyResult:
        """Score a candidate without training, on whatever the task's code evaluates on.

        Raises:
            TaskError: the task fails.
            DivergenceError: a figure is not finite.
        """
        return self.rung(trial, 0)

    def _advance(self, trial: OwnTrial, steps: int) -> None:
        if steps > trial.steps:
            settings = self.settings
            budget = TrainingBudget(
                steps=steps - trial.steps,
                learning_rate=settings.learning_rate,
                batch_size=settings.batch_size,
                seed=settings.seed,
                done=trial.steps,
            )
            self._task.fit(trial.model, budget, self._lesson)
            trial.steps = steps

    def _recalibrated(self, model: Any) -> int:
        """Estimate the statistics of batch normalization anew, and return the number of images used."""
        batches = list(self._task.inputs(self.settings.recalibration_images, self.settings.batch_size))
        if not batches:
            return 0
        BatchStatistics(model).estimate(batches)
        return sum(len(keras.tree.flatten(batch)[0]) for batch in batches)
