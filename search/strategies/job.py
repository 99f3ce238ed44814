"""A search that is prepared and checked, ready to be run by either strategy."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna

from compress.pruning.settings import PruningSettings
from configs.schema.run import RunConfig
from objectives.budget.budget import Budget
from search import settings
from search.driver.driver import Driver
from search.driver.final_models import FinalModels
from search.driver.finals import Finals
from search.driver.listeners.listener import Listener
from search.runs.run_folder import RunFolder
from search.samplers.sensitivity import Sensitivity
from search.samplers.starts import least_loss, starts
from search.space.levels import Levels
from search.space.space import SearchSpace
from search.strategies.earlier_run import EarlierRun
from search.study.trial_record import SENSITIVITY_START
from search.workers.worker import FinalTask, Task, model_bytes
from zoo.data.dataset import Data
from zoo.tasks.metric import Metric


def trial_task(
    config: RunConfig,
    model: Any,
    data: Data,
    pruning: PruningSettings,
    metric: Metric,
    *,
    final: FinalTask | None = None,
) -> Task:
    """The task for workers that judge candidates of a model.

    Args:
        config: of the run.
        model: the original.
        data: images and their targets, or a task of the user's own.
        pruning: how the channels to be removed are chosen.
        metric: what candidates are ranked by.
        final: how finalists are judged; None where there are none.
    """
    proxy = settings.proxy(config.proxy, config.seed, metric)
    return Task(
        model_bytes(model),
        data,
        proxy,
        config.recipe,
        pruning,
        config.search.threads_per_worker,
        final,
        custom_objects=config.model.custom_objects,
        unfreeze=config.recipe if config.finetune.unfreeze else (),
        rungs=(config.proxy.steps, *config.rungs.steps),
    )


@dataclass(frozen=True)
class Job:
    """A prepared search: the model, its space and budget, and how candidates are judged.

    Attributes:
        config: of the run.
        model: the original.
        data: images and their targets, or a task of the user's own.
        space: the search space of the original, for the whole recipe.
        budget: what the result may cost.
        pruning: how the channels to be removed are chosen.
        metric: what candidates are ranked by.
        listener: follows the search.
        earlier: the run whose best trials are tried first.
        levels: of a front; None without one.
    """

    config: RunConfig
    model: Any
    data: Data
    space: SearchSpace
    budget: Budget
    pruning: PruningSettings
    metric: Metric
    listener: Listener
    earlier: EarlierRun
    levels: Levels | None = None

    @cached_property
    def task(self) -> Task:
        """The workers' task for candidates of the whole recipe, and for finalists."""
        config = self.config
        choices = self.space.settings.choices
        final = FinalTask(settings.final(config), self.budget, choices) if config.finetune.epochs else None
        return trial_task(config, self.model, self.data, self.pruning, self.metric, final=final)

    @property
    def tuning(self) -> str:
        """How finalists, and the model between two stages, are fine-tuned: as text, to compare."""
        return repr(settings.final(self.config))

    def driver(self, study: optuna.Study) -> Driver:
        """The driver for a study of the whole recipe."""
        return Driver(study, self.space, self.budget, settings.driver(self.config, self.metric), self.levels)

    def starts(
        self, model: Any, space: SearchSpace, budget: Budget, sensitivity: Sensitivity | None
    ) -> dict[str, dict[str, float]]:
        """Preferences of the starts by name; empty with ``search.starts: false``.

        Args:
            model: to be compressed.
            space: the search space of the model.
            budget: that the starts are made for.
            sensitivity: results of a sweep, whose start comes first; None without a sweep.
        """
        if not self.config.search.starts:
            return {}
        first = {} if sensitivity is None else {SENSITIVITY_START: least_loss(sensitivity, space, budget)}
        return first | starts(model, space, budget, self.pruning, settings.feature_maps(self.config, self.data))

    def finals(self, study: optuna.Study) -> Finals:
        """The finals of a study; without candidates where there is no fine-tuning, as they would repeat the trials."""
        if not self.config.finetune.epochs:
            return Finals(study, self.space, self.budget, 0, self.metric)
        models = FinalModels(RunFolder.of(self.config).finalists)
        candidates = self.config.finals.candidates
        return Finals(study, self.space, self.budget, candidates, self.metric, self.tuning, models)
